"""python -m app ask and search: what a service is sent."""

from __future__ import annotations

import httpx
import pytest

from app.__main__ import main
from app.cli import ask


@pytest.mark.parametrize(
    ("options", "header"),
    [([], None), (["--groups", "hr,인사"], "hr,%EC%9D%B8%EC%82%AC"), (["--groups", ""], "")],
)
def test_the_groups_of_a_question_are_its_header(monkeypatch, options, header):
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("kyujang-groups"))
        return httpx.Response(200, json={"answer": "", "citations": [], "contexts": []})

    for command in ("ask", "search"):
        client = httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer))
        monkeypatch.setattr(ask, "open_client", lambda *_, client=client, **__: client)
        assert main([command, "Where is it?", *options]) == 0
    assert sent == [header, header]
