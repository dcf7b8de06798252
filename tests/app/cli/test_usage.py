"""python -m app usage, against the route."""

from __future__ import annotations

import json

import httpx

from app.__main__ import main
from app.cli import usage


def test_lines_are_shown_as_json_and_as_csv(monkeypatch, capsys):
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        more = "cursor" not in asked[-1]
        data = [{"day": "2026-11-28", "key": f"k{len(asked)}", "requests": 7}]
        return httpx.Response(200, json={"data": data, "has_more": more, "next_cursor": "more" if more else None})

    def open_client(*_, **__):
        return httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(usage, "open_client", open_client)
    assert main(["usage", "--from", "2026-11-01", "--group-by", "day,key"]) == 0
    assert [json.loads(line)["key"] for line in capsys.readouterr().out.splitlines()] == ["k1", "k2"]
    assert asked[0] == {"limit": "200", "from": "2026-11-01", "group_by": "day,key"}
    assert main(["usage", "--csv"]) == 0
    assert capsys.readouterr().out == "day,key,requests\n2026-11-28,k3,7\n2026-11-28,k4,7\n"
