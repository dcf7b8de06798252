"""The engine's way to its first answer, with other programs in the place of pip and vLLM."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.up.child import ChildSpec
from app.up.engine_start import EngineStart
from app.up.steps import Steps
from app.up.supervise import ChildFailed, Supervisor
from tests.app.up.conftest import is_running

WAIT = "import time; time.sleep(60)"


@dataclass
class Programs:
    """What an engine would start."""

    folder: Path
    install: str | None = None
    convert: str | None = None
    serve: str = WAIT

    def installation(self, log: Path) -> ChildSpec | None:
        return self._spec("engine environment", self.install, log)

    def conversion(self, log: Path) -> ChildSpec | None:
        return self._spec("model conversion", self.convert, log)

    def spec(self, log: Path) -> ChildSpec | None:
        return self._spec("engine", self.serve, log)

    def _spec(self, name: str, program: str | None, log: Path) -> ChildSpec | None:
        if program is None:
            return None
        marked = f"import pathlib; pathlib.Path({str(self.folder / name)!r}).touch(); {program}"
        return ChildSpec(name, [sys.executable, "-c", marked], dict(os.environ), log)


def start(programs: Programs, supervisor: Supervisor, answers: bool = True) -> EngineStart:
    made = EngineStart(programs, supervisor, Steps(), programs.folder, lambda: answers)  # type: ignore[arg-type]
    supervisor.beside(made.run())
    return made


def wait_for(starting: EngineStart, supervisor: Supervisor) -> None:
    supervisor.wait_until(lambda: None if starting.done else starting.doing, lambda _: None, every_s=0.02)


def test_environment_model_and_engine_follow_one_another_and_are_measured(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        starting = start(Programs(tmp_path, install="print('Prepared 9 packages')", convert="pass"), supervisor)
        supervisor.pause(0)
        assert starting.doing.startswith("Engine environment:")
        wait_for(starting, supervisor)
    names = [line.split("  ")[-1] for line in starting.steps.table().splitlines()[1:]]
    assert names == ["Engine environment", "Model conversion", "Engine, until it answers"]


def test_on_the_second_start_there_is_only_the_engine(tmp_path: Path):
    with Supervisor(lambda _: None) as supervisor:
        starting = start(Programs(tmp_path), supervisor)
        wait_for(starting, supervisor)
    assert len(starting.steps.table().splitlines()) == 2


@pytest.mark.parametrize("failing", ["install", "convert", "serve"])
def test_a_step_that_fails_is_said_and_the_next_one_does_not_begin(tmp_path: Path, failing):
    programs = Programs(tmp_path, "pass", "pass")
    setattr(programs, failing, "raise SystemExit('no space left')")
    with Supervisor(lambda _: None) as supervisor:
        starting = start(programs, supervisor, answers=False)
        with pytest.raises(ChildFailed, match="no space left"):
            wait_for(starting, supervisor)
    begun = [name for name in ("engine environment", "model conversion", "engine") if (tmp_path / name).exists()]
    assert len(begun) == ["install", "convert", "serve"].index(failing) + 1
    assert not starting.done


def test_what_was_under_way_ends_with_the_supervisor(tmp_path: Path):
    log = tmp_path / "engine-install.log"
    with Supervisor(lambda _: None) as supervisor:
        start(Programs(tmp_path, install=f"import os; print(os.getpid(), flush=True); {WAIT}"), supervisor)
        while not (log.exists() and log.read_text().strip()):
            supervisor.pause(0.02)
        assert is_running(int(log.read_text()))
    assert not is_running(int(log.read_text()))
