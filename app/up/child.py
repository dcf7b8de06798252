"""One child process: started in its own session, logged to a file, gone when we are gone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.up.accounts import Account

PR_SET_PDEATHSIG = 1
LOG_LIMIT = 20 * 1024 * 1024


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class ChildSpec:
    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 15
    account: Account | None = None
    before_start: Callable[[], None] = _nothing
    advice: str = ""


class Child:
    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start from the main thread only: the kernel sends the death signal when the starting *thread* ends."""
        self.spec.before_start()
        self.spec.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.spec.log.exists() and self.spec.log.stat().st_size > LOG_LIMIT:
            self.spec.log.replace(self.spec.log.with_suffix(".log.1"))
        with self.spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.spec.argv,
                env=dict(self.spec.env),
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid(), self.spec.stop_signal),
                **(self.spec.account.popen_options() if self.spec.account else {}),
            )

    def signal(self, number: signal.Signals) -> None:
        if self.alive and self._process:
            self._process.send_signal(number)

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask it to end, wait for the grace time, kill it, and then what it had started itself."""
        self.signal(self.spec.stop_signal)
        deadline = time.monotonic() + self.spec.grace_s
        while self.alive and time.monotonic() < deadline and not hurry():
            time.sleep(0.05)
        self.signal(signal.SIGKILL)
        self.bury()

    def bury(self) -> None:
        """End what the child left behind in its session, and reap it."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self, count: int = 15) -> str:
        return last_lines(self.spec.log, count)


def last_lines(log: Path, count: int = 15) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])


def _die_with(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return bind
