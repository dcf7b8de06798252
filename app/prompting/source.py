"""What a prompt quotes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Source(Protocol):
    @property
    def title(self) -> str | None: ...

    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Passage:
    """A source that was not retrieved."""

    text: str
    title: str | None = None
