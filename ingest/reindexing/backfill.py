"""Find, measure and embed the chunks without a vector in an embedding space. Runs as the schema's owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from pgvector import HalfVector

from app.embedding import Encoder
from app.errors import InvalidInput
from app.storage.spaces import Space, table
from app.storage.tenancy import TenantNumber
from ingest.active_model import heading

BATCH_CHUNKS = 64
CHECKED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Passage:
    """`text` is what the model is to see, `tokens` how many it makes of that."""

    id: int
    document_id: str
    text: str
    tokens: int


def refuse_too_long(connection: psycopg.Connection, space: Space | None, encoder: Encoder) -> None:
    """Check before hours of work that every chunk fits the model. Raises InvalidInput."""
    too_long = [
        chunk.tokens
        for tenant in tenants(connection)
        for batch in _missing(connection, space, tenant, CHECKED_AT_ONCE, encoder)
        for chunk in batch
        if chunk.tokens > encoder.max_tokens
    ]
    if too_long:
        raise InvalidInput(
            f"{len(too_long)} chunks are longer than the {encoder.max_tokens} tokens that {encoder.name} takes (the "
            f"longest has {max(too_long)}). Choose a model that takes more, or set KYUJANG_CHUNK_TOKENS, "
            "ingest the documents again, and then switch."
        )


def embed_missing(
    connection: psycopg.Connection, space: Space, encoder: Encoder, advance: Callable[[int], object] | None = None
) -> int:
    """Embed all chunks without a vector; return how many. Commits each batch, unless the caller is in a transaction.

    Raises InvalidInput if one of them is too long.
    """
    made = 0
    for tenant in tenants(connection):
        for batch in _missing(connection, space, tenant, BATCH_CHUNKS, encoder):
            if any(chunk.tokens > encoder.max_tokens for chunk in batch):
                refuse_too_long(connection, space, encoder)
            _store(connection, space, tenant, _embedded(batch, encoder))
            made += len(batch)
            if advance:
                advance(len(batch))
    return made


def progress(connection: psycopg.Connection, space: Space) -> tuple[int, int]:
    """Return the number of vectors in the space and of all chunks."""
    vectors = chunks = 0
    for tenant in tenants(connection):
        with _of_tenant(connection, tenant):
            query = f"""
                select (select count(*) from {table(space.number)} where tenant_id = %(tenant)s),
                       (select chunk_count from tenants where id = %(tenant)s)
            """  # noqa: S608 - a number of ours
            found = connection.execute(query.encode(), {"tenant": tenant}).fetchone()
        assert found is not None
        vectors, chunks = vectors + found[0], chunks + found[1]
    return vectors, chunks


def tenants(connection: psycopg.Connection) -> list[TenantNumber]:
    with connection.transaction():
        connection.execute("set local role kyujang_operator")
        rows = connection.execute("select id from tenants where chunk_count > 0 order by id").fetchall()
        # The caller may be in a transaction.
        connection.execute("reset role")
    return [row[0] for row in rows]


def _missing(
    connection: psycopg.Connection, space: Space | None, tenant: TenantNumber, count: int, encoder: Encoder
) -> Iterator[list[Passage]]:
    """Yield chunks without a vector in the space; without a space, all."""
    lacking = "true"
    if space is not None:
        there = f"select from {table(space.number)} v where v.tenant_id = %(tenant)s and v.chunk_id = c.id"
        lacking = f"not exists ({there})"
    query = f"""
        select c.id, c.document_id, d.title, c.content
        from chunks c join documents d on d.tenant_id = %(tenant)s and d.id = c.document_id
        where c.tenant_id = %(tenant)s and c.id > %(after)s and {lacking} order by c.id limit %(count)s
    """  # noqa: S608 - a number of ours
    after = -1
    while True:
        with _of_tenant(connection, tenant):
            rows = connection.execute(query.encode(), {"tenant": tenant, "after": after, "count": count}).fetchall()
        if not rows:
            return
        yield _with_headings(encoder, rows)
        after = rows[-1][0]


def _with_headings(encoder: Encoder, rows: Sequence[tuple[int, str, str | None, str]]) -> list[Passage]:
    """Put the title before the text, as at ingest, where the model takes both."""
    headings = {title: heading(encoder, title) for title in {row[2] for row in rows}}
    texts = [headings[title] + text for _, _, title, text in rows]
    fits = [tokens <= encoder.max_tokens for tokens in encoder.count_tokens(texts)]
    texts = [text if fit else row[3] for text, fit, row in zip(texts, fits, rows, strict=True)]
    return [
        Passage(row[0], row[1], text, tokens)
        for row, text, tokens in zip(rows, texts, encoder.count_tokens(texts), strict=True)
    ]


def _embedded(batch: Sequence[Passage], encoder: Encoder) -> Iterator[tuple[Passage, HalfVector]]:
    in_order = sorted(batch, key=lambda chunk: chunk.tokens)
    for first in range(0, len(in_order), encoder.passages_at_once):
        together = in_order[first : first + encoder.passages_at_once]
        vectors = encoder.encode([chunk.text for chunk in together], "passage")
        yield from zip(together, map(HalfVector, vectors), strict=True)


def _store(
    connection: psycopg.Connection, space: Space, tenant: TenantNumber, made: Iterator[tuple[Passage, HalfVector]]
) -> None:
    rows = [(tenant, chunk.document_id, vector, tenant, chunk.id) for chunk, vector in made]
    with _of_tenant(connection, tenant), connection.cursor() as cursor:
        # Locked, since a chunk may be deleted while its vector is on the way.
        query = f"""
            insert into {table(space.number)} (tenant_id, chunk_id, document_id, embedding)
            select %s, id, %s, %s from chunks where tenant_id = %s and id = %s for key share
            on conflict do nothing
        """  # noqa: S608 - a number of ours
        cursor.executemany(query.encode(), rows)


@contextmanager
def _of_tenant(connection: psycopg.Connection, tenant: TenantNumber) -> Iterator[None]:
    """Open a tenant's transaction: row-level security binds the owner too."""
    with connection.transaction():
        connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        yield
