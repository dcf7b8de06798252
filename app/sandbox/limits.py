"""What a child process may use."""

from __future__ import annotations

import json
import resource
from dataclasses import asdict, dataclass
from typing import Self

# The exit status by which a child says so.
OUT_OF_MEMORY = 77


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes. `None` leaves a limit as it is; core dumps are always off."""

    address_space: int | None = None
    data: int | None = None
    cpu_s: int | None = None
    file_size: int | None = None

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def apply(self) -> None:
        """Limit this process and those that it starts."""
        limits = [
            (resource.RLIMIT_AS, self.address_space, 0),
            (resource.RLIMIT_DATA, self.data, 0),
            # The kernel sends SIGXCPU at the soft limit and SIGKILL at the hard one.
            (resource.RLIMIT_CPU, self.cpu_s, 1),
            (resource.RLIMIT_FSIZE, self.file_size, 0),
            (resource.RLIMIT_CORE, 0, 0),
        ]
        for which, value, margin in limits:
            if value is not None:
                resource.setrlimit(which, (value, value + margin))


UNLIMITED = Limits()
