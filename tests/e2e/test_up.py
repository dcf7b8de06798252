"""What `up` promises beyond answering: children come back, data stays, nothing is left running."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import httpx
import psutil

from tests.stack import start_stack, stop_stack


def children(process) -> list[psutil.Process]:
    """Those that run: what nobody has reaped yet does not count."""
    return [each for each in psutil.Process(process.pid).children(recursive=True) if runs(each)]


def runs(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def find(process, *words: str) -> psutil.Process | None:
    for each in children(process):
        with suppress(psutil.Error):
            if all(word in " ".join(each.cmdline()) for word in words):
                return each
    return None


def wait_for(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_without_an_engine_it_restarts_its_children_and_keeps_the_data(scratch):
    home = scratch / "extractive"
    stack = start_stack(home, KYUJANG_ENGINE="none")
    try:
        body = {"documents": [{"id": "tower", "text": "The tower is 324 metres tall."}]}
        assert httpx.post(f"{stack.url}/ingest?wait=60", json=body, timeout=90).json()["status"] == "succeeded"
        for words in (("app", "serve"), ("ingest", "worker")):
            dead = find(stack.process, *words)
            assert dead is not None
            os.kill(dead.pid, signal.SIGKILL)
            wait_for(lambda dead=dead, words=words: find(stack.process, *words) not in (None, dead))
        wait_for(lambda: answers(stack.url))
        left = children(stack.process)
    finally:
        stop_stack(stack)
    assert stack.process.returncode == 0
    assert [each for each in left if runs(each)] == []

    again = start_stack(home, KYUJANG_ENGINE="none")
    try:
        answer = httpx.post(f"{again.url}/query", json={"input": "How tall is the tower?"}, timeout=60).json()
        assert "324" in answer["answer"]
        assert answer["answer_mode"] == "extracted"
        assert answer["citations"][0]["document_id"] == "tower"
        left = children(again.process)
        again.process.kill()
        again.process.wait()
        wait_for(lambda: not [each for each in left if runs(each)])
    finally:
        stop_stack(again)
