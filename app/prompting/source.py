"""What a prompt quotes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Source(Protocol):
    @property
    def path(self) -> Sequence[str]:
        """What it stands under: the document's title and headings."""
        ...

    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Passage:
    """A source that was not retrieved."""

    text: str
    path: Sequence[str] = ()
