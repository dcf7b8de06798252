"""What Hancom's documents can hold, for tests to put together; the three formats write it each in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field

Item = object
"""A text, or one of the classes below."""


@dataclass(frozen=True)
class Par:
    items: list[Item]
    shape: int = 0


@dataclass(frozen=True)
class Deleted:
    text: str
    with_end: bool = False


@dataclass(frozen=True)
class Raised:
    """Text above the line, such as an exponent."""

    text: str


@dataclass(frozen=True)
class Aside:
    """A footNote, endNote, header, footer, hiddenComment, memo or drawText."""

    kind: str
    paragraphs: list[Par]
    number: int = 0


@dataclass(frozen=True)
class Composed:
    text: str
    in_circle: bool


@dataclass(frozen=True)
class Annotated:
    main: str
    above: str


@dataclass(frozen=True)
class Auto:
    kind: str
    number: int
    shown: str = "DIGIT"


@dataclass(frozen=True)
class Restart:
    kind: str
    number: int


@dataclass(frozen=True)
class Equation:
    script: str


@dataclass(frozen=True)
class Drawn:
    text: str


@dataclass(frozen=True)
class Button:
    kind: str
    caption: str
    on: bool = False


@dataclass(frozen=True)
class Field:
    """A combo box or an edit field, and what it shows."""

    kind: str
    text: str


@dataclass(frozen=True)
class Spot:
    """A picture or an embedded object."""

    kind: str
    description: str = ""


@dataclass(frozen=True)
class Box:
    row: int
    column: int
    paragraphs: list[Par]
    rows: int = 1
    columns: int = 1
    header: bool = False


@dataclass(frozen=True)
class Grid:
    cells: list[Box]
    caption: list[Par] = field(default_factory=list)
    above: bool = False


@dataclass(frozen=True)
class Head:
    """Shapes are (head, reference, level), levels (pattern, format, start)."""

    shapes: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    numberings: list[list[tuple[str, str, int]]] = field(default_factory=list)
    bullets: list[str] = field(default_factory=list)
    outline: int = 0
    begin_pages: frozenset[int] = frozenset()
    """The shapes of paragraphs that begin a page."""
