"""What is kept of a document's pictures beside its text: where they stand, how large they are, what is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["pt", "px"]


@dataclass(frozen=True, slots=True)
class Picture:
    """`start` and `stop` count code points of the whole text: what stands there for the picture is what its author or
    a model says of it, or nothing. `described`: a model said it."""

    start: int
    stop: int
    page: int | None = None
    width: float | None = None
    height: float | None = None
    unit: Unit | None = None
    alt: str = ""
    caption: str = ""
    described: bool = False


def as_row(picture: Picture) -> dict[str, Any]:
    """Return what is stored: what is not known is left out."""
    told = {name: getattr(picture, name) for name in Picture.__slots__}
    return {name: value for name, value in told.items() if value or name in ("start", "stop")}
