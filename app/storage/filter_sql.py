"""Compile filters to SQL, for what reads documents in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from app.storage.filters import (
    All,
    Column,
    Comparable,
    Compares,
    Contains,
    Filter,
    Is,
    Metadata,
    Not,
    Range,
    Scalar,
    Some,
)
from app.storage.tenancy import parts_seen

RANGES: dict[Range, str] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
COLUMNS: dict[Column, str] = {
    "document_id": "d.id",
    "source": 'd.source collate "C"',
    "created_at": "d.created_at",
    # Null in the default one.
    "collection": "d.collection",
}
TYPES: dict[Column, str] = {"document_id": "text", "source": "text", "created_at": "timestamptz", "collection": "text"}
# How much of a key and of a text document_values holds (migration 0015).
KEY_PREFIX, TEXT_PREFIX = 100, 200


# A part alone: the policy judges it.
EVERYTHING = "true"
IN_PARTS = "select p.number as document from part_documents p where p.part = any(%(seen)s)"
# A document may be in several parts: so many rows hold as many documents as are asked for, and no more are read.
IN_SEVERAL = f"select distinct document from ({IN_PARTS} limit %(limit)s * {{parts}}) held"  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Condition:
    """`sql` is a boolean expression over the alias `d` (documents); its parameters are named `f_…`.

    Each of `candidates` is a query for numbers of documents that an index answers: it finds all that match, and maybe
    more.
    Row-level security keeps both with the tenant.
    """

    sql: str
    parameters: dict[str, Any]
    candidates: Sequence[str] = ()


def compile_filter(filter_: Filter) -> Condition:
    parameters = _Parameters()
    return Condition(_sql(filter_, parameters), parameters.values, _candidates(filter_, parameters))


def narrowed(where: Filter | None) -> Condition | None:
    """Return what the stores search within, or None for the whole tenant: the filter, in the part that is seen.

    The part decides by its policy (docs/decisions/0028-parts.md). Here it is one more list of candidates.
    """
    condition = compile_filter(where) if where else None
    if (seen := parts_seen()) is None:
        return condition
    condition = condition or Condition(EVERYTHING, {})
    inside = IN_PARTS if len(seen) < 2 else IN_SEVERAL.format(parts=len(seen))
    return Condition(condition.sql, {**condition.parameters, "seen": seen}, [*condition.candidates, inside])


def compile_all(filters: Sequence[Filter]) -> tuple[list[str], dict[str, Any]]:
    """Return the boolean expression of each filter, and the parameters of all together."""
    parameters = _Parameters()
    return [_sql(each, parameters) for each in filters], parameters.values


class _Parameters:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def put(self, value: object) -> str:
        name = f"f_{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"


def _sql(filter_: Filter, parameters: _Parameters) -> str:
    """Return a boolean expression. Null stands for false; only a negation has to tell them apart."""
    match filter_:
        case All(parts):
            return f"({' and '.join(_sql(part, parameters) for part in parts)})"
        case Some(parts):
            return f"({' or '.join(_sql(part, parameters) for part in parts)})"
        case Not(part):
            return f"({_sql(part, parameters)} is not true)"
        case Contains(Metadata(name), value):
            return f"(d.metadata @> {parameters.put(Jsonb({name: [value]}))})"
        case Is(key, values):
            if isinstance(key, Metadata):
                return _metadata_is(key, values, parameters)
            return _column_is(key, values, parameters)
        case Compares(key, op, value):
            if isinstance(key, Metadata):
                return _metadata_compares(key, op, value, parameters)
            collation = "" if key == "created_at" else ' collate "C"'
            return f"({COLUMNS[key]}{collation} {RANGES[op]} {parameters.put(value)}::{TYPES[key]})"


def _metadata_is(key: Metadata, values: Sequence[Scalar], parameters: _Parameters) -> str:
    present = [Jsonb({key.name: value}) for value in values if value is not None]
    either = [f"d.metadata @> any({parameters.put(present)}::jsonb[])"] if present else []
    if None in values:
        either.append(f"coalesce(d.metadata -> {parameters.put(key.name)}::text, 'null') = 'null'")
    return f"({' or '.join(either)})"


def _column_is(key: Column, values: Sequence[Scalar], parameters: _Parameters) -> str:
    present = [value for value in values if value is not None]
    either = [f"{COLUMNS[key]} = any({parameters.put(present)}::{TYPES[key]}[])"] if present else []
    if None in values:
        either.append(f"{COLUMNS[key]} is null")
    return f"({' or '.join(either)})"


def _metadata_compares(key: Metadata, op: Range, value: Comparable, parameters: _Parameters) -> str:
    """Compare without a cast, so that no stored value can raise an error."""
    name = f"{parameters.put(key.name)}::text"
    if isinstance(value, str):
        kind, stored, wanted = "string", f'(d.metadata ->> {name}) collate "C"', f"{parameters.put(value)}::text"
    else:
        kind, stored, wanted = "number", f"(d.metadata -> {name})", parameters.put(Jsonb(value))
    return f"(jsonb_typeof(d.metadata -> {name}) = '{kind}' and {stored} {RANGES[op]} {wanted})"


def _candidates(filter_: Filter, parameters: _Parameters) -> list[str]:
    """Return no query where no index helps: negations, and null, which stands for a missing key too."""
    match filter_:
        case All(parts):
            return [query for part in parts for query in _candidates(part, parameters)]
        case Some(parts):
            first = [_candidates(part, parameters)[:1] for part in parts]
            return [" union all ".join(query for (query,) in first)] if all(first) else []
        case Contains(key, value):
            return _equal(key, [value], parameters)
        case Is(Metadata() as key, values):
            return _equal(key, values, parameters)
        case Compares(Metadata() as key, op, value):
            return [_from_values(key, _kind(value), f"{RANGES[op][0]}= {parameters.put(_indexed(value))}", parameters)]
        case Is() | Compares():
            return [f"select d.number as document from documents d where {_sql(filter_, parameters)}"]  # noqa: S608
        case Not():
            return []


def _equal(key: Metadata, values: Sequence[Scalar], parameters: _Parameters) -> list[str]:
    if None in values:
        return []
    queries = []
    for kind in ("text", "double precision"):
        of_kind = [_indexed(value) for value in values if _kind(value) == kind]
        if of_kind:
            queries.append(_from_values(key, kind, f"= any({parameters.put(of_kind)}::{kind}[])", parameters))
    return [" union all ".join(queries)]


def _from_values(key: Metadata, kind: str, comparison: str, parameters: _Parameters) -> str:
    column = "text" if kind == "text" else "number"
    name = parameters.put(key.name[:KEY_PREFIX])
    return f"select v.document from document_values v where v.key = {name}::text and v.{column} {comparison}"  # noqa: S608


def _kind(value: Scalar) -> str:
    return "text" if isinstance(value, str) else "double precision"


def _indexed(value: Scalar) -> str | float:
    """Round or cut a value as document_values holds it, which keeps the order."""
    return value[:TEXT_PREFIX] if isinstance(value, str) else float(value)  # type: ignore[arg-type]
