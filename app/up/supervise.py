"""Keep children running: restart what dies, stop everything in order, at once when asked twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Self

from app.errors import KyujangError
from app.up.child import Child, ChildSpec

MAX_BACKOFF_S = 30
SOUND_AFTER_S = 60
STEP_S = 0.1

END = object()

Say = Callable[[str], None]
Handler = Callable[[int, FrameType | None], object] | int | None


class StopRequested(Exception):
    """Ctrl-C or SIGTERM was received."""


class ChildFailed(KyujangError):
    """A child ended before it was ready."""

    def __init__(self, child: Child) -> None:
        code = child.exit_code
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        said = f"{child.spec.name} ended ({how}). The last lines of {child.spec.log}:\n{child.last_lines()}"
        super().__init__(f"{said}\n{child.spec.advice}".rstrip())


@dataclass
class Watched:
    child: Child
    settled: bool = False
    backoff_s: float = 0.5
    started: float = 0
    restart_at: float | None = None

    def start(self) -> None:
        self.restart_at = None
        self.started = time.monotonic()
        self.child.start()

    def schedule_restart(self) -> float:
        now = time.monotonic()
        sound = now - self.started > SOUND_AFTER_S
        self.backoff_s = 1 if sound else min(self.backoff_s * 2, MAX_BACKOFF_S)
        self.restart_at = now + self.backoff_s
        return self.backoff_s


def until_done(spec: ChildSpec) -> Generator[None]:
    """Run a child that ends by itself, and yield meanwhile; closing stops it. Raises ChildFailed unless it succeeds."""
    child = Child(spec)
    child.start()
    try:
        while child.alive:
            yield
    finally:
        child.stop()
    if child.exit_code != 0:
        raise ChildFailed(child)


class Supervisor:
    """Use from the main thread. Until settle(), a child that ends is a failure; from then on it is restarted."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._watched: list[Watched] = []
        self._requests = 0
        self._stopping = False
        self._previous: dict[signal.Signals, Handler] = {}
        self._beside: list[Generator[None]] = []

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def start(self, spec: ChildSpec) -> Child:
        child = Child(spec)
        watched = Watched(child)
        self._watched.append(watched)
        watched.start()
        return child

    def adopt(self, child: Child) -> None:
        """Watch, restart and stop a child that was started elsewhere like the others."""
        self._watched.append(Watched(child, started=time.monotonic()))

    def settle(self, *, but: Collection[str] = ()) -> None:
        """Restart from now on what ends of what has been started, except those with these names."""
        for watched in self._watched:
            watched.settled = watched.settled or watched.child.spec.name not in but

    def beside(self, steps: Generator[None]) -> None:
        """Go through the steps while something else is waited for: what they raise, pause() raises."""
        self._beside.append(steps)

    def run(self, spec: ChildSpec, tick: Say) -> None:
        """Run a child that ends by itself. Raises ChildFailed unless it succeeds."""
        steps = until_done(spec)
        try:
            for _ in steps:
                tick("")
                self.pause(STEP_S)
        finally:
            steps.close()

    def wait_until(self, refusal: Callable[[], str | None], tick: Say, every_s: float = 0.5) -> None:
        """Wait without a time limit: as long as the children live, what takes long is progress."""
        while (why := refusal()) is not None:
            tick(why)
            self.pause(every_s)

    def pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            if self._requests and not self._stopping:
                raise StopRequested
            self._watch()
            self._beside = [steps for steps in self._beside if next(steps, END) is not END]
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, STEP_S))

    def forever(self) -> None:
        while True:
            self.pause(1)

    def stop(self) -> None:
        """Stop the children in reverse order. A second signal shortens every grace time to nothing."""
        self._stopping = True
        already = self._requests
        for steps in self._beside:
            steps.close()
        for watched in reversed(self._watched):
            if watched.child.alive:
                self._say(f"stopping {watched.child.spec.name}")
            watched.child.stop(hurry=lambda: self._requests > max(already, 1))
        self._watched.clear()

    def _watch(self) -> None:
        for watched in self._watched:
            if watched.child.alive:
                continue
            if not watched.settled:
                raise ChildFailed(watched.child)
            if watched.restart_at is None:
                self._bury(watched)
            elif time.monotonic() >= watched.restart_at:
                watched.start()

    def _bury(self, watched: Watched) -> None:
        watched.child.bury()
        spec, code = watched.child.spec, watched.child.exit_code
        wait_s = watched.schedule_restart()
        self._say(f"{spec.name} ended ({code}); starting it again in {wait_s:.0f} s. Why: {spec.log}")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._requests += 1
