"""What of a table is collected while its cells are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.loading.parsers.flow import Block, Table


@dataclass(slots=True)
class Cell:
    row: int
    column: int
    rows: int = 1
    columns: int = 1
    header: bool = False
    blocks: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class OpenTable:
    table: Table = field(default_factory=Table)
    above: list[Block] = field(default_factory=list)
    below: list[Block] = field(default_factory=list)
    header_rows: set[int] = field(default_factory=set)
