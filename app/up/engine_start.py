"""What the engine needs until it answers, one step after the other, beside everything else that starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from app.up.child import ChildSpec, last_lines
from app.up.engine import LocalEngine
from app.up.steps import Steps
from app.up.supervise import Supervisor, until_done

ASK_EVERY_S = 1


@dataclass
class EngineStart:
    engine: LocalEngine
    supervisor: Supervisor
    steps: Steps
    logs: Path
    answers: Callable[[], bool]
    """Whether the API has had a token from the engine."""
    doing: str = ""
    done: bool = field(default=False, init=False)

    def run(self) -> Generator[None]:
        """Yield whenever something else may go on. Raises ChildFailed."""
        yield from self._child("Engine environment", self.engine.installation(self.logs / "engine-install.log"))
        yield from self._child("Model conversion", self.engine.conversion(self.logs / "engine.log"))
        self.doing = "vLLM starts"
        with self.steps.measured("Engine, until it answers"):
            self.supervisor.start(self.engine.spec(self.logs / "engine.log"))
            yield from self._until_it_answers()
        self.done = True

    def _child(self, name: str, spec: ChildSpec | None) -> Generator[None]:
        if spec is None:
            return
        with self.steps.measured(name):
            for _ in until_done(spec):
                self.doing = f"{name}: {last_lines(spec.log, 1).strip()}"
                yield

    def _until_it_answers(self) -> Generator[None]:
        asked = 0.0
        while True:
            if time.monotonic() - asked >= ASK_EVERY_S:
                if self.answers():
                    return
                asked = time.monotonic()
            yield
