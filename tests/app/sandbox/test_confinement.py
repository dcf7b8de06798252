"""What a child that was taken over can reach: its own code stands in the place of the parser."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.sandbox import seccomp, syscalls
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.protections import NEEDED, log_protections
from app.sandbox.subprocesses import ENVIRONMENT, open_child
from tests.conftest import ROOT

ATTEMPTS = "tests.app.sandbox.attempts"
NUMBERS = ("tgkill", "ptrace", "shmget", "bpf", "keyctl", "unshare", "mount")


def number(name: str) -> int:
    column = syscalls.column()
    found = (syscalls._FORBIDDEN | syscalls._JUDGED)[name][column]
    assert found is not None
    return found


def given(mine: Path) -> dict:
    return {"parent": os.getpid(), "mine": str(mine), **{name: number(name) for name in NUMBERS}}


@pytest.fixture
def playing(tmp_path_factory):
    """Writes a child with this code; gives the environment that finds it."""

    def make(code: str) -> dict:
        folder = tmp_path_factory.mktemp("code")
        (folder / "taken_over.py").write_text(code)
        return {"environment": {**ENVIRONMENT, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}}

    return make


async def said_by(profile: Profile, options: dict, *arguments: str, limits=None, module="taken_over") -> dict:
    async with open_child(
        module, *arguments, profile=profile, limits=limits or Limits(file_size=0), timeout_s=60, **options
    ) as child:
        message = await child.message()
        assert message is not None, await child.exit_report()
        return message


@contextmanager
def listening(folder: Path):
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        unix.bind(str(folder / "socket"))
        abstract.bind("\0" + f"kyujang-{os.getpid()}")
        for each in (unix, abstract):
            each.listen()
        yield {"tcp": tcp.getsockname()[1], "unix": str(folder / "socket"), "abstract": f"\0kyujang-{os.getpid()}"}


@pytest.mark.parametrize("forked", [False, True], ids=["started", "forked"])
async def test_own_code_in_the_parser_s_place_reaches_nothing(tmp_path, forked):
    mine, others, password = tmp_path / "1" / "mine", tmp_path / "2" / "other", tmp_path / "postgres" / "password"
    for path in (mine, others, password):
        path.parent.mkdir()
        path.write_text("secret")
    files = [others, password, "/etc/passwd", "/etc/hostname", ROOT / "pyproject.toml", f"/proc/{os.getpid()}/environ"]
    files += [f"/proc/{os.getpid()}/mem", f"/proc/{os.getpid()}/cmdline", "/proc/self/environ", "/proc/1/environ"]
    with listening(tmp_path) as doors:
        folders = [str(tmp_path), str(ROOT), "/", "/proc", "/root", "/tmp"]
        order = {**doors, **given(mine), "files": list(map(str, files)), "folders": folders}
        said = await said_by(Profile(read={"document": mine}), {"forked": forked}, json.dumps(order), module=ATTEMPTS)
    assert len(said["outcomes"]) > 45
    assert {name: what for name, what in said["outcomes"].items() if what.startswith("reached")} == {}
    assert (mine.read_text(), sorted(os.listdir(mine.parent))) == ("secret", ["mine"])


HARMLESS = (
    *("tcp", "udp", "unix", "abstract", "datagram to a path", "listen", "netlink", "program", "signal"),
    *("thread signal", "write", "append", "new file", "chmod", "symlink"),
)


async def test_the_same_code_reaches_it_without_the_sandbox(tmp_path):
    """So that the attempts are real ones. Those that would change this machine are left out."""
    mine = tmp_path / "mine"
    mine.write_text("secret")
    with listening(tmp_path) as doors:
        order = json.dumps(
            {**doors, **given(mine), "files": ["/etc/passwd"], "folders": ["/tmp"], "only": ["/etc/passwd", *HARMLESS]}
        )
        async with open_child(ATTEMPTS, order, timeout_s=60) as child:
            said = await child.message()
    assert said is not None
    refused = {name: what for name, what in said["outcomes"].items() if not what.startswith("reached")}
    # The listener takes a stream, and says so.
    assert set(refused) <= {"datagram to a path"}
    assert len(said["outcomes"]) == len(HARMLESS) + 1


WORKS = """
import asyncio, hashlib, os, tempfile, threading, zlib
def main(channel):
    import sqlite3, xml.sax, ssl, decimal  # imported late, from the folders of Python
    import numpy
    results = []
    def add(): results.append(float(numpy.ones((64, 64)).dot(numpy.ones(64)).sum()))
    threads = [threading.Thread(target=add) for _ in range(4)]
    for each in threads: each.start()
    for each in threads: each.join()
    async def wait(): await asyncio.to_thread(os.getpid)
    asyncio.run(wait())
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    scratch = channel.paths["scratch"]
    (scratch / "made").write_text("x")
    (scratch / "made").rename(scratch / "named")
    os.kill(os.getpid(), 0)
    model = (channel.paths["model"] / "config.json").read_text()
    channel.send({"sums": results, "model": model, "found": os.listdir(scratch)})
"""


async def test_threads_late_imports_an_event_loop_a_model_and_a_scratch_folder_work(tmp_path, playing):
    model, cache, scratch = tmp_path / "model", tmp_path / "cache", tmp_path / "scratch"
    for folder in (model, cache, scratch):
        folder.mkdir()
    (cache / "blob").write_text("{}")
    (model / "config.json").symlink_to("../cache/blob")
    profile = Profile(read={"model": model}, scratch={"scratch": scratch})
    said = await said_by(profile, playing(WORKS), limits=Limits(file_size=1 << 20))
    assert said == {"sums": [4096.0] * 4, "model": "{}", "found": ["named"]}
    assert (scratch / "named").read_text() == "x"


async def test_an_import_that_starts_a_thread_is_not_run_half_confined(playing):
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    options = playing(code + "def main(channel): channel.send({'threads': threading.active_count()})")
    async with open_child("taken_over", profile=Profile(), **options) as child:
        assert await child.message() is None
        assert "has started a thread" in (await child.exit_report())["complaint"]
    assert await said_by(Profile(before_imports=True), options) == {"threads": 2}


async def test_every_protection_holds_here_and_is_logged(caplog):
    caplog.set_level("INFO", "kyujang.sandbox")
    found = await log_protections()
    assert {name: found[name] for name in ("system_calls", "no_new_privileges", "no_capabilities", "not_dumpable")} == (
        dict.fromkeys(("system_calls", "no_new_privileges", "no_capabilities", "not_dumpable"), "on")
    )
    assert int(found["landlock"].removeprefix("version ")) >= 1
    assert found["user"].startswith(("60600", "the worker's"))
    (record,) = [each for each in caplog.records if each.name == "kyujang.sandbox"]
    assert (record.levelname, record.sandbox) == ("INFO", found)


@pytest.mark.parametrize("missing", ["landlock", "system_calls"])
async def test_a_kernel_without_a_part_of_it_is_warned_of(caplog, monkeypatch, playing, missing):
    """The protections that are left hold, and documents are read."""
    code = "from app.sandbox import landlock, seccomp, protections\n"
    fails = "def refused(*_): raise OSError(38, 'Function not implemented')\n"
    lacks = {
        "landlock": "landlock.version = refused\n",
        "system_calls": "seccomp.filter_system_calls = refused\n",
    }[missing]
    options = playing(f"{code}{fails}{lacks}main = protections.main")
    said = await said_by(Profile(), options)
    assert said[missing] == "off: Function not implemented"
    assert [name for name in NEEDED if said[name].startswith("off")] in (
        [missing],
        ["landlock", "system_calls", missing],
    )
    real = open_child
    monkeypatch.setattr(
        "app.sandbox.protections.open_child", lambda _, **given: real("taken_over", **{**given, **options})
    )
    await log_protections()
    (record,) = [each for each in caplog.records if each.name == "kyujang.sandbox"]
    assert (record.levelname, missing in record.lacking) == ("WARNING", True)


@pytest.mark.parametrize("column", [0, 1], ids=["x86-64", "aarch64"])
def test_the_filter_is_one_that_the_kernel_takes(column):
    code = seccomp.build_filter(column, os.getpid())
    steps = list(seccomp.INSTRUCTION.iter_unpack(code))
    assert len(steps) < 256
    for at, (kind, if_true, if_false, _) in enumerate(steps):
        if kind in (seccomp.EQUAL, seccomp.AT_LEAST, seccomp.HAS_BIT):
            assert at + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1][3] == seccomp.REFUSE
    assert len(set(syscalls.forbidden(column))) == len(syscalls.forbidden(column))
