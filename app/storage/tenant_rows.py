"""Deletes a tenant's rows, some at a time, so that nothing waits long for what this locks, however much there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.storage import usage
from app.storage.database import Database, continue_as_operator, fetch_one
from app.storage.jobs import HIDDEN
from app.storage.tenant_deletions import ClaimedDeletion, Deleted, count


@dataclass(frozen=True, slots=True)
class Table:
    """A table that may have very many rows of a tenant. They go in the order of `key`, `at_once` in a transaction."""

    name: str
    key: tuple[str, ...]
    at_once: int
    returns: str = "1"
    """Of a deleted row `t`, what `counts` needs."""
    counts: str = ""
    """What is counted, by the names of Deleted."""
    beside: str = ""
    """Further parts of the statement, which see `next`, the keys of these rows, and `gone`."""


WAITED = "blob is not null and status in ('queued', 'running')"
TABLES = (
    Table("staged_chunks", ("job_id", "n", "ord"), 5000),
    Table("staged_pages", ("job_id", "n", "page"), 500),
    Table(
        "job_items",
        ("job_id", "n"),
        1000,
        "t.blob, t.status, t.size",
        f"count(*) filter (where {WAITED}) as files, coalesce(sum(size) filter (where {WAITED}), 0)::bigint as bytes",
    ),
    Table("jobs", ("id",), 1000, "t.kind", f"count(*) filter (where kind not in {HIDDEN}) as jobs"),
    Table("idempotency_keys", ("key",), 1000),
    Table(
        "chunks",
        ("id",),
        500,
        counts="count(*) as chunks",
        beside="""
            , postings_gone as (
                delete from postings where tenant_id = %(tenant)s and chunk_id in (select id from next))
            , counted as (
                update tenants set chunk_count = chunk_count - (select count(*) from gone) where id = %(tenant)s)
        """,
    ),
    Table("posting_blocks", ("segment", "first_term"), 1000),
    Table("posting_deletions", ("chunk_id",), 5000),
    Table("lexicon", ("term",), 5000),
    Table("queries", ("id",), 1000),
    Table("webhook_deliveries", ("seq",), 1000),
    Table("document_texts", ("document_id", "start"), 100),
    Table("document_pages", ("document_id", "start"), 5000),
    Table("document_words", ("document_id", "page"), 1000),
    Table(
        "documents",
        ("id",),
        500,
        "t.bytes",
        "count(*) as documents, count(*) as files, coalesce(sum(bytes), 0)::bigint as bytes",
    ),
)
# What a tenant has few of goes with its row in `tenants`.
FEW = """
select (select count(distinct name) from prompt_versions where tenant_id = %(tenant)s) as prompts,
       count(*) filter (where deleted_at is null or published) as adapters,
       count(blob) as files, coalesce(sum(bytes) filter (where blob is not null), 0)::bigint as bytes
from adapter_versions where tenant_id = %(tenant)s
"""


async def delete_rows(
    database: Database, claimed: ClaimedDeletion, *, published_files: int = 0, published_bytes: int = 0
) -> None:
    """Delete all rows of the tenant and count them; `published` are the files of its adapters that engines read.

    Interrupted, it goes on where it was, and counts nothing twice. Raises DeletionLost.
    """
    for table in TABLES:
        after: dict[str, Any] | None = {}
        while after is not None:
            after = await _delete_some(database, claimed, table, after)
    async with database.transaction(claimed.tenant) as connection:
        few = await fetch_one(connection, FEW, claimed.key)
        assert few is not None
        await continue_as_operator(connection)
        keys = await fetch_one(
            connection, "select count(*) as keys from api_keys where tenant_id = %(tenant)s", claimed.key
        )
        assert keys is not None
        gone = await fetch_one(connection, "delete from tenants where id = %(tenant)s returning id", claimed.key)
        if gone is not None:
            few["files"] += published_files
            few["bytes"] += published_bytes
            await usage.fold(connection, claimed.tenant)
            await count(connection, claimed, Deleted(**few, **keys))


async def _delete_some(
    database: Database, claimed: ClaimedDeletion, table: Table, after: dict[str, Any]
) -> dict[str, Any] | None:
    """Delete the next rows, and return the last one's key; None if there were none."""
    async with database.transaction(claimed.tenant) as connection:
        row = await fetch_one(connection, _statement(table, bool(after)), claimed.key | after)
        if row is None:
            return None
        last = {name: row.pop(name) for name in table.key}
        await count(connection, claimed, Deleted(**row))
    return last


def _statement(table: Table, further: bool) -> str:
    key = ", ".join(table.key)
    above = f"and ({key}) > ({', '.join(f'%({name})s' for name in table.key)})" if further else ""
    return f"""
        with next as (
            select {key} from {table.name} where tenant_id = %(tenant)s {above} order by {key} limit {table.at_once}
        ), gone as (
            delete from {table.name} t using next where t.tenant_id = %(tenant)s
              and ({", ".join(f"t.{name}" for name in table.key)}) = ({", ".join(f"next.{name}" for name in table.key)})
            returning {table.returns}
        ) {table.beside}
        select last.*{", counted.*" if table.counts else ""}
        from (select {key} from next order by {", ".join(f"{name} desc" for name in table.key)} limit 1) last
        {f"cross join (select {table.counts} from gone) counted" if table.counts else ""}
    """  # noqa: S608 - constants
