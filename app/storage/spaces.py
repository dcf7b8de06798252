"""Embedding spaces: which models have vectors stored, and whose are searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from app.errors import KyujangError
from app.storage.database import Connection, Database, fetch_all, fetch_one

State = Literal["building", "active", "retired"]

# Whoever publishes chunks shares this lock, and whoever switches to another space holds it alone.
SWITCH_LOCK = 0x6B797573


@dataclass(frozen=True, slots=True)
class Space:
    """`settings` is what opens the model; nothing of it is secret."""

    number: int
    model: str
    dimension: int
    settings: dict[str, Any]
    state: State


class OtherSpace(KyujangError):
    """Searches use another model's vectors by now."""


def table(number: int) -> str:
    return f"vectors_{number:d}"


async def spaces(database: Database) -> list[Space]:
    """Empty before the first migration."""
    async with database.shared() as connection:
        rows = await fetch_all(
            connection, "select number, model, dimension, settings, state from embedding_spaces order by number"
        )
    return [Space(**row) for row in rows]


async def active_number(connection: Connection) -> int:
    row = await fetch_one(connection, "select number from embedding_spaces where state = 'active'")
    return int(row["number"]) if row else 0


async def hold(connection: Connection, number: int) -> None:
    """Nobody switches to another space before this transaction ends. Raises OtherSpace if somebody has."""
    await connection.execute("select pg_advisory_xact_lock_shared(%s)", [SWITCH_LOCK])
    if await active_number(connection) != number:
        raise OtherSpace


def other_vectors(active: Space, model: str) -> str:
    return (
        f"The stored vectors were made by {active.model} ({active.dimension} dimensions), and KYUJANG_EMBEDDER is "
        f"{model}; vectors of two models cannot be compared. Set it back to {active.model}, and if you want the other "
        "model run 'python -m ingest reindex --model …', which builds its vectors while the old ones are searched."
    )
