"""python -m app collection, against the routes."""

from __future__ import annotations

import json
from urllib.parse import unquote

import httpx
import pytest

from app.__main__ import main
from app.cli import collections


@pytest.fixture
def asked(monkeypatch):
    """The requests that a service was sent."""
    requests: list[tuple[str, object]] = []
    listed = [{"id": "hr", "name": None, "documents": 3}]

    def answer(request: httpx.Request) -> httpx.Response:
        path = f"{request.method} {unquote(request.url.raw_path.decode())}"
        requests.append((path, json.loads(request.content) if request.content else None))
        return httpx.Response(200, json={"id": "hr", "moved": 2, "data": listed, "next_cursor": None})

    def open_client(*_, **__):
        return httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(collections, "open_client", open_client)
    return requests


def test_collections_are_made_and_changed(asked, capsys):
    assert main(["collection", "add", "hr", "--name", "People", "--top-k", "3", "--no-rerank"]) == 0
    assert main(["collection", "set", "인사", "--mode", "lexical", "--min-score", "0.5"]) == 0
    assert main(["collection", "list"]) == 0
    assert asked == [
        ("POST /collections", {"id": "hr", "name": "People", "defaults": {"top_k": 3, "rerank": False}}),
        ("PATCH /collections/인사", {"defaults": {"mode": "lexical", "min_score": 0.5}}),
        ("GET /collections", None),
    ]
    assert capsys.readouterr().out == "hr\nhr\t\t3 documents\n"


def test_documents_are_moved_some_at_a_time(asked, capsys):
    ids = [f"d{number}" for number in range(151)]
    assert main(["collection", "move", "hr", *ids]) == 0
    sent = [body["filters"]["value"] for _, body in asked]
    assert [path for path, _ in asked] == ["POST /collections/hr/documents"] * 2
    assert [each for some in sent for each in some] == ids
    assert capsys.readouterr().out == "4 documents moved\n"


def test_a_collection_is_deleted_with_its_documents_where_that_is_said(asked):
    assert main(["collection", "delete", "hr"]) == 0
    assert main(["collection", "delete", "hr", "--documents"]) == 0
    assert [path for path, _ in asked] == ["DELETE /collections/hr", "DELETE /collections/hr?documents=delete"]
