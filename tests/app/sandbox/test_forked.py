"""The warm parent and its children: what they share is code alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import psutil
import pytest

from app.sandbox import forked
from app.sandbox.forked import ParentDied
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ENVIRONMENT, open_child
from tests.app.sandbox.test_subprocesses import all_gone
from tests.conftest import ROOT

# `opened` is what the warm parent and this child have opened, `seen` what a child has read.
CODE = """
import os, resource, sys, time
opened, seen, warmed = [], [], []
sys.addaudithook(lambda event, values: opened.append((os.getpid(), str(values[0]))) if event == "open" else None)
def warm_up(): warmed.append(os.getpid())
def main(channel, task=""):
    parent, path = os.getppid(), channel.paths.get("document")
    if path is not None: seen.append(path.read_text())
    limits = [resource.getrlimit(each)[0] for each in (resource.RLIMIT_AS, resource.RLIMIT_CPU)]
    channel.send({"pid": os.getpid(), "parent": parent, "seen": seen, "opened": opened, "limits": limits,
                  "warmed": warmed, "protections": channel.protections})
    exec(task)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("forked")
    (folder / "forked_child.py").write_text(CODE)
    return {**ENVIRONMENT, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


@pytest.fixture
def fork(environment):
    def open_forked(task: str = "", **options):
        return open_child("forked_child", task, environment=environment, forked=True, **options)

    return open_forked


async def said(child) -> dict:
    message = await child.message()
    assert message is not None, await child.exit_report()
    return message


def status(pid: int) -> list[str]:
    return Path("/proc", str(pid), "status").read_text().splitlines()


async def answer(opening) -> dict:
    async with opening as child:
        return await said(child)


async def test_each_document_has_a_process_of_its_own_and_its_parent_sees_none(fork, tmp_path):
    found = []
    for name in "abc":
        (tmp_path / name).write_text(name)
        found.append(await answer(fork(profile=Profile(read={"document": tmp_path / name}))))
    (parent,) = {each["parent"] for each in found}
    assert (len({each["pid"] for each in found}), parent == os.getpid()) == (3, False)
    assert [each["seen"] for each in found] == [["a"], ["b"], ["c"]]
    assert [each["warmed"] for each in found] == [[parent]] * 3
    # What the parent had opened by then, each child has inherited.
    assert [{pid for pid, _ in each["opened"]} for each in found] == [{each["pid"]} for each in found]
    process = psutil.Process(parent)
    assert (process.open_files(), process.num_threads(), process.net_connections("inet")) == ([], 1, [])
    assert set(process.environ()) - {"LC_CTYPE"} == set(ENVIRONMENT)
    assert process.children() == []


async def test_limits_and_walls_hold_the_child_and_not_its_parent(fork):
    found = await answer(fork(profile=Profile(), limits=Limits(address_space=1 << 30, cpu_s=7)))
    assert (found["limits"], found["protections"]["system_calls"]) == ([1 << 30, 7], "on")
    assert psutil.Process(found["parent"]).rlimit(psutil.RLIMIT_AS)[0] == psutil.RLIM_INFINITY
    assert {"NoNewPrivs:\t0", "Seccomp:\t0"} <= set(status(found["parent"]))
    other = await answer(fork(profile=Profile(), limits=Limits(address_space=2 << 30, cpu_s=8)))
    assert (other["limits"], other["parent"]) == ([2 << 30, 8], found["parent"])


async def test_a_child_has_nothing_open_that_belongs_to_another(fork):
    listing = "channel.send({name: os.readlink(f'/proc/self/fd/{name}') for name in os.listdir('/proc/self/fd')[:-1]})"
    async with fork("time.sleep(60)") as other:
        await said(other)
        async with fork(listing) as child:
            await said(child)
            held = await said(child)
    # Nothing comes from standard input, standard output goes where errors go, and the channel has two ends.
    assert sorted(held) == ["0", "1", "2", "3", "4", "5"]
    assert (held["0"], held["1"], held["5"]) == ("/dev/null", held["2"], "/dev/null")
    assert len({held[name] for name in "234"}) == 3


async def test_a_child_is_ended_alone(fork):
    async with fork("channel.send({'sum': sum(next(channel.requests()))})") as other:
        parent = (await said(other))["parent"]
        async with fork("time.sleep(60)") as child:
            ended = (await said(child))["pid"]
        assert await all_gone([ended])
        async with fork("os.kill(os.getpid(), 9)") as child:
            await said(child)
            assert await child.exit_reason() == "killed"
        await other.send([1, 2])
        assert await said(other) == {"sum": 3}
        assert await other.wait() == 0
    assert (await answer(fork()))["parent"] == parent
    assert psutil.Process(parent).children() == []


@pytest.mark.parametrize("profile", [Profile(), None], ids=["confined", "limited"])
async def test_the_death_of_the_parent_is_told_and_survived(fork, profile):
    async with fork("time.sleep(60)", profile=Profile()) as child:
        found = await said(child)
        os.kill(found["parent"], signal.SIGKILL)
        with pytest.raises(ParentDied):
            await child.wait()
        assert await all_gone([found["pid"]])
    before = await answer(fork(profile=profile))
    os.kill(before["parent"], signal.SIGKILL)
    # Before this process has noticed.
    assert (await answer(fork(profile=profile)))["parent"] not in (before["parent"], found["parent"])


async def test_a_parent_that_never_starts_is_given_up():
    with pytest.raises(ParentDied):
        await answer(open_child("forked_child", environment={"PYTHONHOME": "/nowhere"}, forked=True))


async def test_a_parent_that_cannot_fork_goes_on_with_the_children_it_has(tmp_path):
    code = f"{CODE}\nFORKS = 2\ndef warm_up():\n global fork\n fork, os.fork = os.fork, limited\n"
    code += "def limited():\n global FORKS\n FORKS -= 1\n if FORKS < 0: raise BlockingIOError\n return fork()\n"
    (tmp_path / "limited_child.py").write_text(code)
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    options = {"environment": environment, "forked": True}
    async with open_child("limited_child", "channel.send(next(channel.requests()))", **options) as first:
        parents = [(await said(first))["parent"]]
        parents += [(await answer(open_child("limited_child", **options)))["parent"] for _ in range(2)]
        await first.send({"still": "here"})
        assert await said(first) == {"still": "here"}
    assert parents[0] == parents[1] != parents[2]


async def test_a_parent_is_replaced_after_a_crash_and_after_some_children(fork, monkeypatch):
    parents = [(await answer(fork()))["parent"]]
    async with fork("os.kill(os.getpid(), 11)") as child:
        parents.append((await said(child))["parent"])
        assert await child.exit_reason() == "crashed"
    parents.append((await answer(fork()))["parent"])
    assert parents[0] == parents[1] != parents[2]
    monkeypatch.setattr(forked, "CHILDREN_OF_ONE", 2)
    parents += [(await answer(fork()))["parent"] for _ in range(2)]
    assert parents[2] == parents[3] != parents[4]
    assert await all_gone(parents[:4])


WORKER = """
import asyncio, json, sys
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import open_child
async def main():
    options = {"environment": json.loads(sys.argv[1]), "profile": Profile(), "forked": True}
    async with open_child("forked_child", "time.sleep(60)", **options) as child:
        print(json.dumps(await child.message()), flush=True)
        await child.wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
async def test_nothing_outlives_the_worker(environment, end):
    command = (sys.executable, "-c", WORKER, json.dumps(environment))
    worker = await asyncio.create_subprocess_exec(*command, stdout=PIPE, env={"PYTHONPATH": str(ROOT)})
    assert worker.stdout is not None
    found = json.loads(await worker.stdout.readline())
    worker.send_signal(end)
    await worker.wait()
    assert await all_gone([found["pid"], found["parent"]])


async def test_what_cannot_be_imported_is_told_by_each_child(tmp_path):
    (tmp_path / "broken_child.py").write_text("raise RuntimeError('our own fault')")
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for _ in range(2):
        async with open_child("broken_child", environment=environment, profile=Profile(), forked=True) as child:
            assert await child.message() is None
            assert await child.exit_reason() == "failed"
            assert "our own fault" in (await child.exit_report())["complaint"]


async def test_a_parent_whose_import_has_started_a_thread_forks_nothing_that_runs(tmp_path):
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    (tmp_path / "threaded_child.py").write_text(f"{code}def main(channel): channel.send({{}})")
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    async with open_child("threaded_child", environment=environment, profile=Profile(), forked=True) as child:
        assert await child.message() is None
        assert "has started a thread" in (await child.exit_report())["complaint"]


@pytest.mark.parametrize("module", ["ingest.loading.child", "ingest.loading.members_child", "ingest.ocr.child"])
def test_readers_start_no_thread_and_open_nothing_before_the_fork(module):
    program = (
        "import os, sys\nfrom app.sandbox.warm_parent import warm_up\nwarm_up(sys.argv[1])\n"
        "print(sys.argv[1] in sys.modules, *os.listdir('/proc/self/task'), *os.listdir('/proc/self/fd'))"
    )
    environment = {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program, module], env=environment, capture_output=True, text=True)
    imported, *rest = done.stdout.split()
    # One thread; standard input, output and error, and the listing itself.
    assert (imported, rest[1:]) == ("True", ["0", "1", "2", "3"]), done.stderr
