"""The steps of a change of the embedding model, and what is found and missing meanwhile."""

from __future__ import annotations

import asyncio

import psycopg

from app.storage.spaces import table
from ingest.reindexing import reindex


async def build(settings, wanted, encoder, begin=lambda *_: None, advance=lambda _: None):
    return await asyncio.to_thread(reindex.build, settings, wanted, encoder, begin=begin, advance=advance)


async def switch(settings, encoder):
    await asyncio.to_thread(reindex.switch, settings, encoder)


async def found(client, question: str) -> str | None:
    answer = await client.post("/search", json={"input": question, "mode": "dense", "top_k": 1})
    assert answer.status_code == 200
    contexts = answer.json()["contexts"]
    return contexts[0]["document_id"] if contexts else None


def without_vector(owner_url: str, number: int) -> int:
    """Chunks, as the embedded database's superuser sees them."""
    query = f"select count(*) from chunks c left join {table(number)} v on v.chunk_id = c.id where v.chunk_id is null"
    with psycopg.connect(owner_url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
