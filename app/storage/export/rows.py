"""Fill the tables of a tenant with the rows of an export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from psycopg import sql

from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.database import Connection, fetch_all
from app.storage.export.make import COLUMNS
from app.storage.export.tables import TABLES, TRAIL, Table, table_in

BATCH_BYTES = 2 << 20
OF_THE_TENANT = {table.name: table for table in TABLES}

Batch = tuple[str, list[str], list[bytes]]


def read_batches(path: Path) -> Iterator[Batch]:
    """Yield (table, columns, lines of some of its rows)."""
    name, size = "", 0
    columns: list[str] = []
    lines: list[bytes] = []
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"[") or size > BATCH_BYTES:
                if lines:
                    yield name, columns, lines
                lines, size = [], 0
            if line.startswith(b"["):
                name, columns = json.loads(line)
            else:
                lines.append(line)
                size += len(line)
    if lines:
        yield name, columns, lines


class Filling:
    """Writes rows as they were read, but for what tables.py says. Row-level security keeps them to the tenant."""

    def __init__(self, connection: Connection, space: int, key: dict[str, Any], left_out: frozenset[str]) -> None:
        self._connection, self._space, self._key, self._left_out = connection, space, key, left_out
        self._afterwards: dict[str, list[bytes]] = {}
        self._numbers: dict[int | None, int] = {}

    async def fill(self, path: Path, tell: Callable[[int], None]) -> None:
        """Raises BackupDamaged or BackupFailed."""
        done = 0
        for name, columns, lines in read_batches(path):
            if name not in self._left_out:
                await self._write(await self._known(name, columns), columns, lines)
            done += sum(map(len, lines))
            tell(done)
        for name, lines in self._afterwards.items():
            statement = OF_THE_TENANT[name].afterwards or ""
            await self._connection.execute(statement.encode(), {**self._key, "rows": _array(lines)})

    async def _known(self, name: str, columns: Sequence[str]) -> Table:
        if name not in OF_THE_TENANT:
            raise BackupDamaged(f"The export has a table {name!r} that this version does not know.")
        relation = table_in(OF_THE_TENANT[name], self._space)
        known = {row["attname"] for row in await fetch_all(self._connection, COLUMNS, {"table": relation})}
        if lacking := sorted(set(columns) - known):
            raise BackupFailed(f"This database lacks {', '.join(lacking)} of {name}: run 'python -m app migrate'.")
        return OF_THE_TENANT[name]

    async def _write(self, table: Table, columns: Sequence[str], lines: list[bytes]) -> None:
        statement = _insert(table, columns, table_in(table, self._space))
        if table.name == TRAIL:
            # Each refers to an earlier one, by the number that it gets here.
            for line in lines:
                await self._write_step(statement, json.loads(line), line)
            return
        await self._connection.execute(statement, {**self._key, "rows": _array(lines)})
        if table.afterwards:
            self._afterwards.setdefault(table.name, []).extend(lines)

    async def _write_step(self, statement: sql.Composed, step: dict[str, Any], line: bytes) -> None:
        key = {**self._key, "rows": _array([line]), "previous": self._numbers.get(step["previous"])}
        row = await (await self._connection.execute(statement + sql.SQL(" returning seq"), key)).fetchone()
        assert row is not None
        self._numbers[step["seq"]] = row["seq"]


def _insert(table: Table, columns: Sequence[str], relation: str) -> sql.Composed:
    names = [name for name in columns if name not in table.numbered]
    values = [
        sql.SQL(table.written[name]) if name in table.written else sql.SQL("r.{}").format(sql.Identifier(name))
        for name in names
    ]
    return sql.SQL(
        "insert into {relation} (tenant_id, {names}) select %(tenant)s, {values} "
        "from jsonb_populate_recordset(null::{relation}, %(rows)s::jsonb) r"
    ).format(
        relation=sql.Identifier(relation),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(values),
    )


def _array(lines: Sequence[bytes]) -> str:
    return f"[{b','.join(lines).decode()}]"
