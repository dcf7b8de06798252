"""Define filters on documents as a tree, which each store compiles or evaluates.

Two-valued: a metadata key that a document lacks counts as null, a value of another type does not match, and `ne` and
`not` hold wherever their opposite does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Column = Literal["document_id", "source", "created_at", "collection"]
Scalar: TypeAlias = str | int | float | bool | datetime | None
Comparable: TypeAlias = str | int | float | datetime
Range = Literal["gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """A key of the metadata object's first level, taken literally: dots do not lead into it."""

    name: str


Key: TypeAlias = Column | Metadata


@dataclass(frozen=True, slots=True)
class Is:
    """`eq`, or `in` with several values."""

    key: Key
    values: Sequence[Scalar]


@dataclass(frozen=True, slots=True)
class Compares:
    """Numbers with numbers, strings by code point with strings."""

    key: Key
    op: Range
    value: Comparable


@dataclass(frozen=True, slots=True)
class Contains:
    """The metadata value is a list that has `value` as an element."""

    key: Metadata
    value: Scalar


@dataclass(frozen=True, slots=True)
class All:
    parts: Sequence[Filter]


@dataclass(frozen=True, slots=True)
class Some:
    parts: Sequence[Filter]


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


Filter: TypeAlias = Is | Compares | Contains | All | Some | Not
