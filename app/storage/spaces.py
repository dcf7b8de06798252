"""List embedding spaces: which models have stored vectors, and which one is searched."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import KyujangError
from app.settings import Settings
from app.storage.database import Connection, Database, fetch_all, fetch_one

SpaceState = Literal["building", "active", "retired"]

# Publishing chunks takes this lock shared; a switch to another space takes it exclusively.
SWITCH_LOCK = 0x6B797573


@dataclass(frozen=True, slots=True)
class Space:
    """`settings` is what opens the model; nothing of it is secret."""

    number: int
    model: str
    dimension: int
    settings: dict[str, Any]
    state: SpaceState


class OtherSpace(KyujangError):
    """Searches have switched to another model's vectors."""


def table(number: int) -> str:
    return f"vectors_{number:d}"


async def spaces(database: Database) -> list[Space]:
    """Return all spaces; none before the first migration."""
    async with database.shared() as connection:
        rows = await fetch_all(
            connection, "select number, model, dimension, settings, state from embedding_spaces order by number"
        )
    return [Space(**row) for row in rows]


async def active_number(connection: Connection) -> int:
    row = await fetch_one(connection, "select number from embedding_spaces where state = 'active'")
    return int(row["number"]) if row else 0


async def lock_active_space(connection: Connection, number: int) -> None:
    """Prevent a switch until this transaction ends. Raises OtherSpace if space `number` is no longer active."""
    await connection.execute("select pg_advisory_xact_lock_shared(%s)", [SWITCH_LOCK])
    if await active_number(connection) != number:
        raise OtherSpace


def other_vectors(active: Space, model: str, settings: Settings) -> str:
    return (
        f"The stored vectors were made by {active.model} ({active.dimension} dimensions), and KYUJANG_EMBEDDER is "
        f"{model}; vectors of two models cannot be compared. Set it back to {active.model}, and if you want the other "
        f"model run '{reindex_command(settings)}', which builds its vectors while the old ones are searched."
    )


def reindex_command(settings: Settings) -> str:
    """Return the command that moves what is stored to the model of these settings."""
    options = {"--model": settings.embedder}
    if settings.embedder_url:
        options |= {"--endpoint": settings.embedder_url, "--max-tokens": str(settings.embedder_max_tokens)}
    options |= {"--query-prefix": settings.query_prefix, "--passage-prefix": settings.passage_prefix}
    given = (word for name, value in options.items() if value for word in (name, value))
    return shlex.join(["python", "-m", "ingest", "reindex", *given])
