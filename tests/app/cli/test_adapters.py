"""python -m app adapter, against the routes."""

from __future__ import annotations

import json

import httpx
import pytest

from app.__main__ import main
from app.cli import adapters
from tests.ingest.adapters.made import tar_gz, write_peft_folder

VERSION = {"name": "tone", "version": 1, "status": "ready", "active": False, "checks": [], "error_detail": None}


@pytest.fixture
def service(monkeypatch):
    """A service that answers as it is told, and the requests that it was sent."""
    asked: list[tuple[str, str, bytes]] = []
    answers: list[tuple[int, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url).removeprefix("http://kyujang"), request.read()))
        status, body = answers.pop(0)
        return httpx.Response(status, json=body) if body is not None else httpx.Response(status)

    def open_client(*_, **__):
        return httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(adapters, "open_client", open_client)
    monkeypatch.setattr(adapters, "POLL_S", 0)
    return asked, answers


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_or_an_archive_is_sent_and_waited_for(service, tmp_path, capsys, packed):
    asked, answers = service
    path = write_peft_folder(tmp_path / "adapter")
    if packed:
        path = tmp_path / "adapter.tar.gz"
        path.write_bytes(tar_gz())
    passed = {"name": "archive", "ok": True, "detail": "fine"}
    answers += [(202, {**VERSION, "status": "checking"}), (200, {**VERSION, "checks": [passed]})]
    assert main(["adapter", "add", "tone", str(path)]) == 0
    assert [line[:2] for line in asked] == [("POST", "/adapters"), ("GET", "/adapters/tone?version=1")]
    assert b'name="name"\r\n\r\ntone' in asked[0][2]
    assert b"\x1f\x8b" in asked[0][2]
    assert capsys.readouterr().out.split("\n")[:2] == ["  ok  archive: fine", "tone@1\tready"]


def test_a_refusal_shows_the_check_and_fails(service, tmp_path, capsys):
    _, answers = service
    failed = {"name": "method", "ok": False, "detail": "DoRA cannot be served"}
    answers += [(202, {**VERSION, "status": "rejected", "checks": [failed]})]
    assert main(["adapter", "add", "tone", str(write_peft_folder(tmp_path / "a"))]) == 1
    assert "NO  method: DoRA" in capsys.readouterr().out


def test_a_folder_without_weights_is_no_adapter(service, tmp_path, capsys):
    assert main(["adapter", "add", "tone", str(tmp_path)]) == 1
    assert "adapter_config.json" in capsys.readouterr().err


def test_the_other_actions(service, capsys):
    asked, answers = service
    answers += [
        (200, {"data": [VERSION, {**VERSION, "version": 2, "active": True}], "next_cursor": None}),
        (200, {**VERSION, "active": True}),
        (200, {"active": None}),
        (204, None),
        (204, None),
    ]
    for words in ("list", "activate tone 1", "rollback", "deactivate", "delete tone --version 2"):
        assert main(["adapter", *words.split()]) == 0
    assert [(method, path) for method, path, _ in asked] == [
        ("GET", "/adapters"),
        ("POST", "/adapters/tone/activate"),
        ("POST", "/adapters/rollback"),
        ("POST", "/adapters/deactivate"),
        ("DELETE", "/adapters/tone?version=2"),
    ]
    assert json.loads(asked[1][2]) == {"version": 1}
    assert capsys.readouterr().out.splitlines() == [
        "tone@1\tready",
        "tone@2\tready\tactive",
        "tone@1\tready\tactive",
        "The base model answers.",
    ]
