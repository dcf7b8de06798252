"""A larger corpus without hours of embedding: what is there, copied under other ids, each copy's vectors moved."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from app.embedding.e5 import E5Encoder
from app.storage.migrate import migrate
from app.storage.posting_blocks import unpack
from app.storage.spaces import table
from bench.ingest.home import TENANT, Home
from bench.retrieval.build import SPACE, drop_indexes, merge_postings
from bench.retrieval.progress import say

# As far from the original as another text of the same subject; a copy of copies is farther.
DISTANCE = 0.2

COPY = f"""
with old as materialized (
    select * from chunks where tenant_id = %(tenant)s limit %(chunks)s
), its_documents as (
    insert into documents (tenant_id, id, source, title, media_type, bytes, sha256, metadata, chunks, blob)
    select tenant_id, %(prefix)s || id, source, title, media_type, bytes, sha256, metadata, chunks, ''
    from documents where tenant_id = %(tenant)s and id in (select document_id from old)
    returning 1
), its_chunks as (
    insert into chunks (tenant_id, id, document_id, ord, page, start, stop, tokens, content)
    select tenant_id, id # %(mask)s, %(prefix)s || document_id, ord, page, start, stop, tokens, content from old
), its_postings as (
    insert into postings (tenant_id, chunk_id, impact, term)
    select tenant_id, chunk_id # %(mask)s, impact, term from postings
    where tenant_id = %(tenant)s and chunk_id in (select id from old)
)
insert into {table(SPACE)} (tenant_id, chunk_id, document_id, embedding)
select tenant_id, chunk_id # %(mask)s, %(prefix)s || document_id, l2_normalize(embedding + %(moved)s)
from {table(SPACE)} where tenant_id = %(tenant)s and chunk_id in (select id from old)
"""  # noqa: S608 - a number of ours
COUNT = """
update tenants set version = version + 1,
    chunk_count = (select count(*) from chunks where tenant_id = %(tenant)s) where id = %(tenant)s
"""


def fill(home: Home, size: int) -> None:
    """With copies up to `size` chunks, if there are fewer.

    Their words are the originals', so there are no more terms than before; everything else grows.
    """
    have, rng = home.chunks(), np.random.default_rng(size)
    if have >= size:
        return
    say(f"filling {have} chunks up to {size}")
    (tenant,) = home.rows("select id from tenants where slug = %s", TENANT)[0]
    with psycopg.connect(home.owner_url, autocommit=True) as connection:
        register_vector(connection)
        # No foreign keys, whose rows are written by the same statement.
        connection.execute("set session_replication_role = replica")
        _as_rows(connection, tenant)
        late = drop_indexes(connection)
        while have < size:  # twice as many each time
            key = {"tenant": tenant, "chunks": size - have, "prefix": f"copy-{have}-"}
            have += connection.execute(COPY.encode(), {**key, **_change(rng)}).rowcount
        connection.execute(COUNT.encode(), {"tenant": tenant})
        for definition in late:
            connection.execute(definition.encode())
    migrate(home.settings, dimension=lambda: E5Encoder.dimension)
    asyncio.run(merge_postings(home.settings.service_url, tenant))
    with psycopg.connect(home.owner_url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _as_rows(connection: psycopg.Connection, tenant: int) -> None:
    """Take apart what has been merged, so that it can be copied."""
    segments = connection.execute("select id, ids from posting_segments where tenant_id = %s", [tenant]).fetchall()
    for number, ids in segments:
        query = b"select postings from posting_blocks where segment = %s order by first_term"
        lists = unpack([row[0] for row in connection.execute(query, [number])], np.frombuffer(ids, ">i8"))
        terms = np.repeat([term.decode() for term in lists.terms], lists.counts).tolist()
        with (
            connection.cursor() as cursor,
            cursor.copy(b"copy postings (tenant_id, chunk_id, impact, term) from stdin") as copy,
        ):
            for chunk, impact, term in zip(lists.moved[lists.places], lists.impacts, terms, strict=True):
                copy.write_row((tenant, int(chunk), int(impact), term))
    for table_ in ("posting_blocks", "posting_segments", "lexicon"):
        connection.execute(f"delete from {table_} where tenant_id = %s".encode(), [tenant])  # noqa: S608


def _change(rng: np.random.Generator) -> dict[str, Any]:
    away = rng.standard_normal(E5Encoder.dimension).astype(np.float32)
    return {"mask": int(rng.integers(2**62)), "moved": HalfVector(DISTANCE * away / np.linalg.norm(away))}
