"""What a child process may use."""

from __future__ import annotations

import errno
import json
import mmap
import re
import resource
from dataclasses import asdict, dataclass
from typing import Self

# The exit status by which a child says so.
OUT_OF_MEMORY = 77
# Who cannot have so much has none left.
SPARE = 64 << 20
WORDS = re.compile(r"(allocate|out of) memory|bad_alloc")


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


def lacks_memory(error: BaseException) -> bool:
    """Say whether it was raised for want of memory: libraries raise errors of many kinds then, with other reasons."""
    return _tells_of_memory(error) or not can_have(SPARE)


def _tells_of_memory(error: BaseException | None) -> bool:
    if error is None:
        return False
    told = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM or WORDS.search(str(error))
    return bool(told) or _tells_of_memory(error.__cause__ or error.__context__)


def can_have(size: int) -> bool:
    """Say whether this process may still have so much memory."""
    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError):
        return False
    return True
