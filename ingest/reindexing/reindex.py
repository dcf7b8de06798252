"""Change the embedding model of stored documents: build its vectors beside the old ones, then switch searches over.

No document is ingested again and no search waits: until the switch, which is one transaction, searches use the old
vectors. Interrupted at any point, the next run goes on where this one stopped. Documents that arrive meanwhile get the
old model's vectors from the worker, and the new model's in the next pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from pgvector.psycopg import register_vector

from app.embedding import Encoder, identity_of, with_stored
from app.errors import Conflict, NotFound
from app.settings import Settings
from app.storage.schema import refuse_other_schema_of
from app.storage.space_tables import create_space, create_vector_index, drop_space, stored_spaces
from app.storage.spaces import SWITCH_LOCK, Space
from ingest.reindexing import backfill

ONE_AT_A_TIME = 0x6B797578
# So few that documents which are just being published may wait for them.
LAST_CHUNKS = 64
PASSES = 5
DROP_WAITS = "10s"
# What processes need to find out about a switch and to open the model, if they have not opened it ahead.
STILL_SEARCHED_S = 30


@dataclass(frozen=True, slots=True)
class StoredSpace:
    space: Space
    vectors: int
    chunks: int


def build(
    settings: Settings,
    wanted: Settings,
    encoder: Encoder,
    *,
    begin: Callable[[int, int], None],
    advance: Callable[[int], object],
) -> Space:
    """Build vectors of all chunks by the encoder that `wanted` opens, and their index; searches do not use them yet.

    `begin` gets how many there are already and how many there will be. Raises Conflict if another model is being
    built, InvalidInput if chunks are longer than this one takes.
    """
    with _owner(settings) as connection:
        space = _known(stored_spaces(connection), encoder)
        backfill.refuse_too_long(connection, space, encoder)
        if space is None:
            with connection.transaction():
                space = create_space(connection, wanted, encoder.dimension, "building")
        begin(*backfill.progress(connection, space))
        backfill.embed_missing(connection, space, encoder, advance)
        create_vector_index(connection, space.number)
    return space


def switch(settings: Settings, encoder: Encoder) -> None:
    """Switch searches to the encoder's vectors, in one transaction. Raises NotFound, or InvalidInput."""
    with _owner(settings) as connection:
        space = _named(connection, encoder.name)
        for _ in range(PASSES):
            if backfill.embed_missing(connection, space, encoder) <= LAST_CHUNKS:
                break
        with connection.transaction():
            # Nothing is published from here on; a worker that waits for this lock finds another space active.
            connection.execute("select pg_advisory_xact_lock(%s)", [SWITCH_LOCK])
            backfill.embed_missing(connection, space, encoder)
            change = "update embedding_spaces set state = %s, changed_at = clock_timestamp() where "
            connection.execute(f"{change} state = 'active'", ["retired"])
            connection.execute(f"{change} number = %s", ["active", space.number])
            connection.execute("set local role kyujang_operator")
            # An index in memory must not go on from the changes it has seen in another space.
            connection.execute("update tenants set version = version + 1")


def before_the_switch(settings: Settings) -> Settings:
    """Return the settings that open the model searched before the last switch. Raises NotFound."""
    with _owner(settings) as connection:
        retired = [space for space in stored_spaces(connection) if space.state == "retired"]
    if not retired:
        raise NotFound("There is no earlier model to go back to: none was switched from, or its vectors were dropped.")
    space = retired[-1]
    return settings if identity_of(settings) == space.model else with_stored(settings, space.settings)


def drop(settings: Settings, model: str) -> None:
    """Drop a model's vectors, built or half built; just after a switch, wait until every process has followed.

    Raises NotFound, or Conflict if they are in use.
    """
    with _owner(settings) as connection:
        space = _named(connection, model)
        if space.state == "active":
            raise Conflict(f"{model} is the model that searches use. Switch to another one first.")
        if space.state == "retired":
            time.sleep(max(0, STILL_SEARCHED_S - _seconds_since_the_switch(connection)))
        try:
            with connection.transaction():
                connection.execute(f"set local lock_timeout = '{DROP_WAITS}'")
                drop_space(connection, space.number)
        except psycopg.errors.LockNotAvailable as error:
            raise Conflict("The chunks are locked by documents that are being ingested. Try again.") from error


def list_spaces(settings: Settings) -> list[StoredSpace]:
    with psycopg.connect(settings.owner_url, autocommit=True) as connection:
        refuse_other_schema_of(connection)
        return [StoredSpace(space, *backfill.progress(connection, space)) for space in stored_spaces(connection)]


@contextmanager
def _owner(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.owner_url, autocommit=True) as connection:
        refuse_other_schema_of(connection)
        register_vector(connection)
        row = connection.execute("select pg_try_advisory_lock(%s)", [ONE_AT_A_TIME]).fetchone()
        if not row or not row[0]:
            raise Conflict("Another reindex is running on this database. Wait until it has ended.")
        try:
            yield connection
        finally:
            # The server ends a closed connection a moment later, and the next step would find it locked.
            if not connection.closed:
                connection.execute("select pg_advisory_unlock(%s)", [ONE_AT_A_TIME])


def _seconds_since_the_switch(connection: psycopg.Connection) -> float:
    row = connection.execute(
        "select extract(epoch from clock_timestamp() - changed_at) from embedding_spaces where state = 'active'"
    ).fetchone()
    return float(row[0]) if row else 0


def _known(stored: list[Space], encoder: Encoder) -> Space | None:
    """Return the space of this model, if there is one."""
    for space in stored:
        if space.model == encoder.name and space.dimension == encoder.dimension:
            return space
        if space.model == encoder.name or space.state == "building":
            raise Conflict(
                f"There are vectors by {space.model} of {space.dimension} dimensions, and what is to be built is "
                f"{encoder.name} of {encoder.dimension}. Drop those first: python -m ingest reindex --drop "
                f"'{space.model}'."
            )
    return None


def _named(connection: psycopg.Connection, model: str) -> Space:
    stored = stored_spaces(connection)
    for space in stored:
        if space.model == model:
            return space
    raise NotFound(f"There are no vectors by {model!r}, only by {', '.join(space.model for space in stored)}.")
