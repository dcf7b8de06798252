"""Children that answer, misbehave, hang or die, and what their parent makes of it."""

from __future__ import annotations

import asyncio
import os
import signal
from textwrap import indent

import psutil
import pytest

from app.sandbox.limits import OUT_OF_MEMORY, Limits
from app.sandbox.subprocesses import (
    ENVIRONMENT,
    ChildProcess,
    OutputError,
    OutputTooLarge,
    exit_reason,
    open_child,
)
from tests.conftest import ROOT


@pytest.fixture(params=[False, True], ids=["started", "forked"])
def child(tmp_path, request):
    """The options of a child whose `main(channel, *words)` has this body."""

    def make(body: str, *words: str, **options) -> tuple[tuple[str, ...], dict]:
        (tmp_path / "playing_child.py").write_text(
            f"import os, sys, time\ndef main(channel, *words):\n{indent(body, ' ')}"
        )
        path = f"{tmp_path}{os.pathsep}{ROOT}"
        return ("playing_child", *words), {
            "environment": {**ENVIRONMENT, "PYTHONPATH": path}, "forked": request.param, **options
        }  # fmt: skip

    return make


async def messages_of(child_options) -> tuple[list, ChildProcess]:
    words, options = child_options
    async with open_child(*words, **options) as process:
        return [message async for message in process.messages()], process


async def reason_of(child_options) -> str:
    words, options = child_options
    async with open_child(*words, **options) as process:
        assert await process.message() is None
        return await process.exit_reason()


async def test_messages_come_one_by_one_and_what_is_printed_is_not_among_them(child):
    body = "for word in words:\n print('noise', flush=True)\n channel.send({'word': word})"
    messages, _ = await messages_of(child(body, "책", "two\nlines", ""))
    assert messages == [{"word": "책"}, {"word": "two\nlines"}, {"word": ""}]


async def test_bytes_may_follow_the_last_message(child):
    words, options = child("channel.send({'n': 2}, [b'\\n{', bytes(range(256))])")
    async with open_child(*words, **options) as process:
        assert await process.message() == {"n": 2}
        assert await process.payload(258) == b"\n{" + bytes(range(256))
        assert await process.wait() == 0
    async with open_child(*words, **options) as process:
        await process.message()
        with pytest.raises(OutputTooLarge):
            await process.payload(257)


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (b"no JSON\n", OutputError),
        (b"[1]\n", OutputError),
        (b"[" * 500_000 + b"\n", OutputError),
        (b"\xff\n", OutputError),
        (b"x" * (3 << 20), OutputTooLarge),
    ],
    ids=["text", "list", "nested", "bytes", "endless"],
)
async def test_what_is_not_a_message_is_an_error(child, written, error):
    body = f"channel._messages.write({written[:1]!r} * {len(written) - 1} + {written[-1:]!r})"
    if len(set(written)) > 2:
        body = f"channel._messages.write({written!r})"
    with pytest.raises(error) as caught:
        await messages_of(child(body, max_message_bytes=1 << 20))
    assert type(caught.value) is error


async def test_half_a_message_is_none(child):
    assert (await messages_of(child("channel._messages.write(b'{\"half\": ')")))[0] == []


async def test_a_child_sees_no_secret(child, monkeypatch):
    monkeypatch.setenv("KYUJANG_ADMIN_KEY", "secret")
    messages, _ = await messages_of(child("channel.send(dict(os.environ))"))
    assert set(messages[0]) - {"LC_CTYPE"} == set(ENVIRONMENT)


async def test_requests_are_answered_until_none_is_sent(child):
    words, options = child("for request in channel.requests():\n channel.send({'sum': sum(request)})")
    process = await ChildProcess.start(*words, **options)
    for request in ([1, 2], [3]):
        await process.send(request)
        assert await process.message() == {"sum": sum(request)}
    await process.send(None)
    assert await process.wait() == 0
    # There is no one left to read it.
    await process.send([4])
    await process.kill()


async def test_a_child_may_end_with_its_parent(child):
    words, options = child("channel.end_with_parent()\nchannel.send({})\ntime.sleep(60)")
    process = await ChildProcess.start(*words, **options)
    await process.message()
    # All that is left of a parent that was killed is the pipe's end.
    process._requests.close()
    assert await asyncio.wait_for(process.wait(), 30) == 1


SPAWN = """
import subprocess
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=2 if hangs else -3, stderr=-3)
channel.send({"pids": [os.getpid(), other.pid]})
"""


async def all_gone(pids: list[int]) -> bool:
    """The kernel takes a moment to end a process that has no parent to wait for it."""
    async with asyncio.timeout(10):
        while any(map(runs, pids)):
            await asyncio.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("then", ["time.sleep(60)", "os._exit(0)"], ids=["hangs", "ends"])
async def test_a_child_is_ended_with_what_it_has_started(child, then):
    words, options = child(f"hangs = {'sleep' in then}{SPAWN}{then}", timeout_s=20)
    async with open_child(*words, **options) as process:
        pids = (await process.message() or {})["pids"]
        if "exit" in then:
            await process.wait()
    assert await all_gone(pids)


async def test_a_child_that_takes_too_long_is_ended(child):
    words, options = child("channel.send({'pid': os.getpid()})\ntime.sleep(60)", timeout_s=5)
    pids: list[int] = []
    with pytest.raises(TimeoutError):
        await hang(words, options, pids)
    assert await all_gone(pids)


async def hang(words, options, pids: list[int]) -> None:
    async with open_child(*words, **options) as process:
        pids.append((await process.message() or {})["pid"])
        await process.wait()


async def test_a_child_is_ended_when_its_work_is_cancelled(child):
    words, options = child("channel.send({'pid': os.getpid()})\ntime.sleep(60)")
    pids: list[int] = []
    task = asyncio.create_task(hang(words, options, pids))
    while not pids:
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await all_gone(pids)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise MemoryError", "out of memory"),
        (f"os._exit({OUT_OF_MEMORY})", "out of memory"),
        ("sys.stderr.write('memory allocation of 9 bytes failed'); sys.stderr.flush(); os.abort()", "out of memory"),
        ("os.kill(os.getpid(), 9)", "killed"),
        ("os.kill(os.getpid(), 24)", "out of time"),
        ("os.abort()", "out of memory"),
        ("sys.stderr.write('free(): invalid pointer'); sys.stderr.flush(); os.abort()", "crashed"),
        ("os.kill(os.getpid(), 11)", "crashed"),
        ("pass", "crashed"),
        ("raise RuntimeError('our own fault')", "failed"),
        ("raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB')", "out of memory"),
        ("raise OSError(12, 'Cannot allocate memory')", "out of memory"),
        (
            "try: raise MemoryError\nexcept MemoryError as error: raise OSError('no such model') from error",
            "out of memory",
        ),
        ("sys.stderr.write('libgomp: Thread creation failed'); sys.stderr.flush(); os._exit(1)", "out of memory"),
    ],
)
async def test_why_a_child_ended(child, body, reason):
    assert await reason_of(child(body)) == reason


async def test_what_fails_where_no_memory_is_left_failed_for_that(child):
    """As torch does, which says that it could not create a primitive."""
    body = "held = []\ntry:\n while True: held.append(bytearray(1 << 20))\nexcept MemoryError: pass\nraise RuntimeError"
    assert await reason_of(child(body, limits=Limits(data=256 << 20))) == "out of memory"


def test_a_reason_is_found_for_every_exit_status():
    assert exit_reason(-signal.SIGSEGV, b"") == "crashed"
    assert exit_reason(1, b"Traceback") == "failed"
    assert exit_reason(1, b"MemoryError") == "out of memory"


async def test_the_report_has_the_end_of_a_long_complaint(child):
    words, options = child("sys.stderr.write('x' * (1 << 20) + 'the end')\nos._exit(3)")
    async with open_child(*words, **options) as process:
        report = await process.exit_report()
    assert report["code"] == 3
    assert report["complaint"].endswith("xthe end")
    assert len(report["complaint"]) == 2000
