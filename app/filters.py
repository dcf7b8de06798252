"""Filters on documents, compiled to SQL.

Two-valued: a metadata key that a document lacks counts as null, a value of another type does not match, and `ne` and
`not` hold wherever their opposite does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, Literal, TypeAlias

from psycopg.types.json import Jsonb

Column = Literal["document_id", "source", "created_at"]
Scalar: TypeAlias = str | int | float | bool | datetime | None
RANGES = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
Range = Literal["gt", "gte", "lt", "lte"]
COLUMNS: dict[Column, str] = {"document_id": "d.id", "source": "d.source", "created_at": "d.created_at"}
TYPES: dict[Column, str] = {"document_id": "text", "source": "text", "created_at": "timestamptz"}


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
    value: str | int | float | datetime


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


@dataclass(frozen=True, slots=True)
class Condition:
    """`sql` is a boolean expression over the alias `d` (documents); its parameters are named `f_…`."""

    sql: str
    parameters: dict[str, Any]


def compile_filter(filter_: Filter) -> Condition:
    return _Compiler().condition(filter_)


class _Compiler:
    def __init__(self) -> None:
        self._parameters: dict[str, Any] = {}
        self._numbers = count()

    def condition(self, filter_: Filter) -> Condition:
        return Condition(self._sql(filter_), self._parameters)

    def _sql(self, filter_: Filter) -> str:
        """Null stands for false; only a negation has to tell them apart."""
        match filter_:
            case All(parts):
                return f"({' and '.join(self._sql(part) for part in parts)})"
            case Some(parts):
                return f"({' or '.join(self._sql(part) for part in parts)})"
            case Not(part):
                return f"({self._sql(part)} is not true)"
            case Contains(Metadata(name), value):
                return f"(d.metadata @> {self._put(Jsonb({name: [value]}))})"
            case Is(key, values):
                return (
                    self._metadata_is(key.name, values) if isinstance(key, Metadata) else self._column_is(key, values)
                )
            case Compares(key, op, value):
                if isinstance(key, Metadata):
                    return self._metadata_compares(key.name, op, value)
                collation = "" if key == "created_at" else ' collate "C"'
                return f"({COLUMNS[key]}{collation} {RANGES[op]} {self._put(value)}::{TYPES[key]})"

    def _metadata_is(self, name: str, values: Sequence[Scalar]) -> str:
        present = [Jsonb({name: value}) for value in values if value is not None]
        either = [f"d.metadata @> any({self._put(present)}::jsonb[])"] if len(present) > 1 else []
        if len(present) == 1:
            either.append(f"d.metadata @> {self._put(present[0])}")
        if None in values:
            either.append(f"coalesce(d.metadata -> {self._put(name)}::text, 'null') = 'null'")
        return f"({' or '.join(either)})"

    def _column_is(self, key: Column, values: Sequence[Scalar]) -> str:
        present = [value for value in values if value is not None]
        either = [f"{COLUMNS[key]} = any({self._put(present)}::{TYPES[key]}[])"] if present else []
        if None in values:
            either.append(f"{COLUMNS[key]} is null")
        return f"({' or '.join(either)})"

    def _metadata_compares(self, name: str, op: Range, value: str | int | float | datetime) -> str:
        """No cast, so that no stored value can raise an error."""
        key = f"{self._put(name)}::text"
        if isinstance(value, str):
            stored, wanted, kind = f'(d.metadata ->> {key}) collate "C"', f"{self._put(value)}::text", "string"
        else:
            stored, wanted, kind = f"(d.metadata -> {key})", self._put(Jsonb(value)), "number"
        return f"(jsonb_typeof(d.metadata -> {key}) = '{kind}' and {stored} {RANGES[op]} {wanted})"

    def _put(self, value: object) -> str:
        name = f"f_{next(self._numbers)}"
        self._parameters[name] = value
        return f"%({name})s"
