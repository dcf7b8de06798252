"""python -m app audit, against the route."""

from __future__ import annotations

import json

import httpx

from app.__main__ import main
from app.cli import audit


def test_entries_are_shown_as_lines_up_to_a_limit(monkeypatch, capsys):
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        data = [{"id": 9 - len(asked), "object": "규정"}, {"id": 1, "object": "b"}]
        return httpx.Response(200, json={"data": data, "next_cursor": "more"})

    def open_client(*_, **__):
        return httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(audit, "open_client", open_client)
    assert main(["audit", "--from", "2026-11-01T00:00:00Z", "--actor", "operator", "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["object"] for line in lines] == ["규정", "b", "규정"]
    assert asked[0] == {"limit": "3", "from": "2026-11-01T00:00:00Z", "actor": "operator"}
    assert asked[1]["cursor"] == "more"
