"""Whatever documents and the service say, a terminal is shown it and obeys none of it."""

from __future__ import annotations

import json
import re

import httpx
import pytest

import ingest.__main__
from app.__main__ import main
from app.cli import client
from app.terminal import visible
from app.up.progress import Progress

# Clear the screen, in seven bits and in eight; write over the line; end a title; erase; half a character.
ORDERS = ("\x1b[2J", "\x9b2J", "\rok", "\x9c", "\x07", "\x08", "\x7f", "\x85", "\x00", "\udc9b")
EVIL = "규장 " + "".join(ORDERS) + " book"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
FAILED = {"id": EVIL, "error": {"code": EVIL, "detail": EVIL}}
DONE = {"total": 1, "queued": 0, "running": 0, "succeeded": 0, "unchanged": 0, "failed": 1}
VERSION = {"name": EVIL, "version": 1, "status": "failed", "active": False, "error_detail": EVIL}
CHECK = {"name": EVIL, "ok": False, "detail": EVIL}
CITATION = {"marker": 1, "title": None, "source": EVIL, "document_id": EVIL, "page": 3, "quote": EVIL}
CONTEXT = {"rank": 1, "score": 0.5, "title": EVIL, "source": None, "document_id": EVIL, "text": EVIL}


def listed(*rows: dict[str, object]) -> dict[str, object]:
    return {"data": rows, "next_cursor": None}


SAID = {
    "ask what": {"answer": EVIL, "citations": [CITATION, {**CITATION, "title": EVIL}]},
    "search what": {"contexts": [CONTEXT]},
    "tenant list": listed({"id": EVIL, "name": EVIL, "chunks": 1}),
    "tenant add it": {"id": EVIL},
    "key list it": listed({"id": EVIL, "scopes": [EVIL], "revoked_at": None}),
    "key add it": {"key": EVIL},
    "adapter list": listed(VERSION),
    "adapter add tone FILE": {**VERSION, "checks": [CHECK]},
    "rechunk": {"id": "job_1", "status": "failed", "counts": DONE, "documents": [FAILED]},
    "tune FILE --name tone": {
        "id": "job_1",
        "status": "failed",
        "progress": {"notice": EVIL},
        "error": {"detail": EVIL},
    },
}


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command against a service that answers each request alike; return what it says."""

    def run(command: str, status: int, answer: object) -> str:
        response = httpx.Response(status, content=json.dumps(answer), headers={"content-type": "application/json"})
        transport = httpx.MockTransport(lambda _: response)
        monkeypatch.setattr(client, "_connection", lambda *_: {"base_url": "http://kyujang", "transport": transport})
        monkeypatch.setenv("KYUJANG_ADMIN_KEY", "x" * 24)
        file = tmp_path / "rows.json"
        file.write_text(json.dumps([{"instruction": f"a {n}", "output": "b"} for n in range(10)]))
        words = command.replace("FILE", str(file)).split()
        (main if words[0] not in ("rechunk", "tune") else ingest.__main__.main)(words)
        return "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize("command", SAID)
def test_a_command_shows_what_a_terminal_would_obey(run, command):
    said = run(command, 200, SAID[command])
    assert OBEYED.findall(said) == []
    assert "규장 \\u001b[2J\\u009b2J\\u000dok" in said


@pytest.mark.parametrize("command", SAID)
def test_so_does_an_error(run, command):
    said = run(command, 409, {"detail": EVIL})
    assert OBEYED.findall(said) == []
    assert "409: 규장 \\u001b[2J\\u009b2J" in said


def test_names_of_files_are_shown_too(tmp_path, capsys):
    assert ingest.__main__.main(["add", str(tmp_path / "없는\x9b2J\x1b[2J")]) == 1
    said = capsys.readouterr().err
    assert OBEYED.findall(said) == []
    assert "없는\\u009b2J\\u001b[2J" in said


def test_what_a_part_of_the_service_says_at_the_start_is_shown(capsys):
    progress = Progress()
    progress.note(EVIL)
    progress.plain(EVIL)
    assert OBEYED.findall(capsys.readouterr().out) == []


def test_lines_tabs_and_letters_stay_and_json_stays_json():
    text = "첫째\tline\r\n둘째\nCafé 👩‍🚀 \u200e\u2028"
    assert visible(text) == text
    assert json.loads(visible(json.dumps({"name": EVIL}, ensure_ascii=False))) == {"name": EVIL}
