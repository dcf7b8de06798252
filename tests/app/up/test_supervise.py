import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from app.up.child import Child, ChildSpec
from app.up.supervise import ChildFailed, StopRequested, Supervisor, until_done
from tests.app.up.conftest import is_running

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
WITH_GRANDCHILD = (
    "import subprocess, sys, time; "
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
)


def spec(folder: Path, name: str, program: str, grace_s: float = 5) -> ChildSpec:
    return ChildSpec(name, [sys.executable, "-c", program], dict(os.environ), folder / f"{name}.log", grace_s=grace_s)


def eventually(
    condition: Callable[[], object], seconds: float = 60, pause: Callable[[float], None] = time.sleep
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        pause(0.02)


def test_a_child_that_dies_is_started_again_and_said(tmp_path: Path):
    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        child = supervisor.start(spec(tmp_path, "worker", SLEEP))
        supervisor.settle()
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: child.alive and child.pid != first, pause=supervisor.pause)
        assert "worker ended (-9); starting it again in 1 s" in said[0]
    assert not child.alive


def test_a_child_that_keeps_dying_is_started_less_and_less_often(tmp_path: Path):
    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        supervisor.start(spec(tmp_path, "worker", "raise SystemExit(3)"))
        supervisor.settle()
        eventually(lambda: len(said) == 2, pause=supervisor.pause)
    assert "in 1 s" in said[0]
    assert "in 2 s" in said[1]


def test_before_everything_is_ready_a_dead_child_is_a_failure_with_its_last_words(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        failing = spec(tmp_path, "engine", "raise SystemExit('model not found: 없는-모델')")
        supervisor.start(replace(failing, advice="Check KYUJANG_MODEL."))
        with pytest.raises(ChildFailed, match="없는-모델\nCheck KYUJANG_MODEL"):
            supervisor.wait_until(lambda: "not yet", lambda _: None)


def test_what_is_not_ready_yet_is_no_restart_when_the_rest_is_settled(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        supervisor.start(spec(tmp_path, "api", SLEEP))
        supervisor.start(spec(tmp_path, "engine", "raise SystemExit('no memory')"))
        supervisor.settle(but={"engine"})
        with pytest.raises(ChildFailed, match=r"engine ended .*\n.*no memory"):
            supervisor.pause(60)


def test_steps_go_on_beside_what_is_waited_for_and_end_with_it(tmp_path: Path):
    gone: list[str] = []

    def steps(name: str) -> Generator[None]:
        try:
            yield from until_done(spec(tmp_path, name, SLEEP if name == "conversion" else "pass"))
        finally:
            gone.append(name)

    with Supervisor(lambda _: None) as supervisor:
        supervisor.beside(steps("environment"))
        supervisor.beside(steps("conversion"))
        eventually(lambda: gone, pause=supervisor.pause)
        assert gone == ["environment"]
    assert gone == ["environment", "conversion"]


def test_a_step_that_fails_ends_what_it_is_beside_with_its_last_words(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        other = supervisor.start(spec(tmp_path, "api", SLEEP))
        supervisor.beside(until_done(spec(tmp_path, "engine environment", "raise SystemExit('no space left')")))
        with pytest.raises(ChildFailed, match=r"engine environment ended .*\n.*no space left"):
            supervisor.run(spec(tmp_path, "migrate", SLEEP), lambda _: None)
    assert not other.alive


def test_stop_is_in_reverse_order_and_leaves_nobody(tmp_path: Path):
    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        children = [supervisor.start(spec(tmp_path, name, SLEEP)) for name in ("postgres", "engine", "worker", "api")]
    assert [line.removeprefix("stopping ") for line in said] == ["api", "worker", "engine", "postgres"]
    assert not any(child.alive for child in children)


def test_what_a_child_has_started_goes_with_it(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        supervisor.start(spec(tmp_path, "engine", WITH_GRANDCHILD))
        log = tmp_path / "engine.log"
        eventually(lambda: log.read_text().strip(), pause=supervisor.pause)
        grandchild = int(log.read_text())
        assert is_running(grandchild)
    eventually(lambda: not is_running(grandchild))


def test_a_stubborn_child_is_killed_after_its_grace_time(tmp_path: Path):
    child = Child(spec(tmp_path, "worker", STUBBORN, grace_s=0.3))
    child.start()
    eventually(lambda: "up" in child.last_lines())
    child.stop()
    assert child.exit_code == -signal.SIGKILL


def test_the_first_signal_stops_and_the_second_does_not_wait(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        child = supervisor.start(spec(tmp_path, "worker", STUBBORN, grace_s=60))
        eventually(lambda: "up" in child.last_lines(), pause=supervisor.pause)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StopRequested):
            supervisor.pause(5)
        # The second one comes while the stubborn child is being waited for.
        second = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -INT {os.getpid()}"])
    second.wait()
    assert child.exit_code == -signal.SIGKILL


def test_a_command_that_fails_names_itself_and_its_output(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        supervisor.run(spec(tmp_path, "migrate", "pass"), lambda _: None)
        with pytest.raises(ChildFailed, match=r"migrate ended \(exit code 1\)(.|\n)*no such role"):
            supervisor.run(spec(tmp_path, "migrate", "raise SystemExit('no such role')"), lambda _: None)


def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path):
    program = (
        "import os, sys, time; from pathlib import Path; from app.up.child import Child, ChildSpec\n"
        "argv = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "child = Child(ChildSpec('api', argv, dict(os.environ), Path(sys.argv[1])))\n"
        "child.start(); print(child.pid, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert is_running(pid)
    starter.kill()
    starter.wait()
    starter.stdout.close()
    eventually(lambda: not is_running(pid))


def test_a_large_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.up.child.LOG_LIMIT", 10)
    (tmp_path / "api.log").write_text("x" * 11)
    child = Child(spec(tmp_path, "api", "print('새 로그')"))
    child.start()
    eventually(lambda: not child.alive)
    child.bury()
    assert child.last_lines() == "새 로그"
    assert (tmp_path / "api.log.1").read_text() == "x" * 11
