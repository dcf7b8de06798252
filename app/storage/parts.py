"""Parts of a tenant's documents: which there are, and what is in each (docs/decisions/0028-parts.md).

Membership is written in the transaction that changes a document or makes a part. Each holds a lock of the tenant's
parts, shared or alone, so that neither misses what the other writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from app.errors import Conflict, InvalidInput
from app.storage.database import Connection, Database, fetch_all, fetch_one, see_all, without_time_limits
from app.storage.filter_json import digest_of, filter_from
from app.storage.filter_sql import compile_all, compile_filter
from app.storage.tenancy import TenantNumber, parts_seen

MAX_PARTS = 1000
# So long a part stays that stands for a group.
KEPT_DAYS = 30
UNFINISHED = "('queued', 'running')"


class OutsidePart(InvalidInput):
    """The document would lie outside the part of the tenant that this key is bound to, which `GET /whoami` shows."""

    code = "outside_part"


class IdInUse(Conflict):
    """This id is in use outside the part of the tenant that this key is bound to. Choose another."""

    code = "id_in_use"


async def hold(connection: Connection, tenant: TenantNumber) -> None:
    """Let no part be made until the transaction's end. Comes before other locks: who makes a part waits for them."""
    await connection.execute("select pg_advisory_xact_lock_shared(1, hashint8(%s))", [tenant])


async def judge(connection: Connection, tenant: TenantNumber, documents: Collection[str]) -> None:
    """Write down which parts these documents are in now, and so what was accepted of them and has ended."""
    if documents and (found := await _conditions(connection, tenant)):
        parts, parameters = found
        await connection.execute(
            f"""
            with judged as materialized (
                select d.id, d.number, {parts} as parts from documents d
                where d.tenant_id = %(tenant)s and d.id = any(%(ids)s)
            ), gone as (
                delete from part_documents p using judged j
                where p.tenant_id = %(tenant)s and p.document = j.id and p.part <> all(j.parts)
            ), added as (
                insert into part_documents (tenant_id, part, document, number)
                select %(tenant)s, part, j.id, j.number from judged j cross join unnest(j.parts) part
                on conflict do nothing
            )
            update job_items i set parts = j.parts from judged j
            where i.tenant_id = %(tenant)s and i.document_id = j.id and i.status not in {UNFINISHED}
              and i.parts is distinct from j.parts
            """.encode(),  # noqa: S608 - conditions hold their values as parameters
            {"tenant": tenant, "ids": list(documents), **parameters},
        )


async def judge_items(connection: Connection, tenant: TenantNumber, which: str, key: Mapping[str, Any]) -> None:
    """Write down which parts the unfinished items `i` for which `which` holds will be in."""
    if found := await _conditions(connection, tenant):
        parts, parameters = found
        await connection.execute(
            f"""
            update job_items i set parts = j.parts from (
                select d.job_id, d.n, {parts} as parts from (
                    select i.job_id, i.n, i.document_id as id, coalesce(i.source, s.source) as source,
                           coalesce(i.metadata, s.metadata, '{{}}') as metadata,
                           coalesce(s.created_at, now()) as created_at,
                           case when i.collection is null then s.collection else nullif(i.collection, 'default') end
                               as collection
                    from job_items i left join documents s on s.tenant_id = i.tenant_id and s.id = i.document_id
                    where i.tenant_id = %(tenant)s and i.kind in ('ingest', 'rechunk')
                      and i.status in {UNFINISHED} and {which}
                ) d
            ) j where i.tenant_id = %(tenant)s and i.job_id = j.job_id and i.n = j.n
            """.encode(),  # noqa: S608 - as above
            {"tenant": tenant, **key, **parameters},
        )


async def part_of(
    connection: Connection, tenant: TenantNumber, only: Mapping[str, Any], *, of_group: bool = False
) -> int:
    """Return the number of the part with this filter, which is made if there is none. Raises Conflict."""
    key: dict[str, Any] = {"tenant": tenant, "digest": digest_of(only), "filter": Jsonb(dict(only)), "group": of_group}
    await connection.execute("select pg_advisory_xact_lock(1, hashint8(%(tenant)s))", key)
    found = await fetch_one(
        connection, "select number from parts where tenant_id = %(tenant)s and digest = %(digest)s", key
    )
    if found is not None:
        return int(found["number"])
    counted = await fetch_one(connection, "select count(*) as parts from parts where tenant_id = %(tenant)s", key)
    if counted is not None and counted["parts"] >= MAX_PARTS:
        raise Conflict(
            f"A tenant has at most {MAX_PARTS} parts, one for each filter that keys are bound to and each group that "
            f"was acted for in the last {KEPT_DAYS} days. Bind keys to the same filters, or name fewer groups."
        )
    made = await fetch_one(
        connection,
        """
        insert into parts (tenant_id, filter, digest, used_on)
        values (%(tenant)s, %(filter)s, %(digest)s, case when %(group)s then current_date end) returning number
        """,
        key,
    )
    assert made is not None
    await _fill(connection, key | {"part": made["number"]}, only)
    return int(made["number"])


async def _fill(connection: Connection, key: dict[str, Any], only: Mapping[str, Any]) -> None:
    """Find the documents of a new part, however many there are."""
    await without_time_limits(connection)
    condition = compile_filter(filter_from(only))
    among = "".join(f" and d.number in ({query})" for query in condition.candidates)
    await connection.execute(
        f"""
        insert into part_documents (tenant_id, part, document, number)
        select d.tenant_id, %(part)s, d.id, d.number from documents d
        where d.tenant_id = %(tenant)s and {condition.sql}{among}
        """.encode(),  # noqa: S608 - as above
        key | condition.parameters,
    )
    await connection.execute(
        f"""
        update job_items i set parts = i.parts || %(part)s::integer from part_documents p
        where p.tenant_id = %(tenant)s and p.part = %(part)s
          and i.tenant_id = %(tenant)s and i.document_id = p.document and i.status not in {UNFINISHED}
        """.encode(),  # noqa: S608 - a constant
        key,
    )
    await judge_items(connection, key["tenant"], "true", {})


async def filter_of(database: Database, tenant: TenantNumber, part: int) -> dict[str, Any] | None:
    """Return the filter of a part, None if it is gone."""
    query = "select filter from parts where tenant_id = %(tenant)s and number = %(part)s"
    async with database.transaction(tenant) as connection:
        # A key that acts for groups sees less than its own part.
        await see_all(connection)
        row = await fetch_one(connection, query, {"tenant": tenant, "part": part})
    return row["filter"] if row else None


async def is_outside(connection: Connection, tenant: TenantNumber, document: str, seen: str) -> bool:
    """Tell whether there is such a document in none of the parts of `seen`, in a transaction that sees all."""
    query = """
        select from documents d where d.tenant_id = %(tenant)s and d.id = %(id)s and not exists (
            select from part_documents p
            where p.tenant_id = d.tenant_id and p.document = d.id and p.part = any(%(seen)s))
    """
    key = {"tenant": tenant, "id": document, "seen": [int(number) for number in seen.split(",") if number]}
    return await fetch_one(connection, query, key) is not None


async def refuse_outside(connection: Connection, tenant: TenantNumber, documents: Collection[str]) -> None:
    """Raise OutsidePart if one of these documents, or something that it holds, is none that the caller sees any more,
    in a transaction that sees all."""
    if (seen := parts_seen()) is None or not documents:
        return
    key = {"tenant": tenant, "ids": list(documents), "seen": seen}
    if await fetch_one(connection, f"{HELD} select from held where {UNSEEN} limit 1", key) is not None:
        raise OutsidePart


HELD = """
    with recursive held (id) as (
        select unnest(%(ids)s::text[])
        union
        select d.id from held join documents d on d.tenant_id = %(tenant)s and d.parent = held.id
    )
"""
UNSEEN = """
    not exists (
        select from part_documents p where p.tenant_id = %(tenant)s and p.document = held.id and p.part = any(%(seen)s))
"""


async def forget_unused(connection: Connection, tenant: TenantNumber, used: Sequence[int]) -> None:
    """Remove the parts that no key is bound to any more, but for those of groups that were acted for of late."""
    await connection.execute("select pg_advisory_xact_lock(1, hashint8(%s))", [tenant])
    await connection.execute(
        """
        delete from parts where tenant_id = %s and number <> all(%s)
          and (used_on is null or used_on < current_date - %s::integer)
        """,
        [tenant, list(used), KEPT_DAYS],
    )


async def _conditions(connection: Connection, tenant: TenantNumber) -> tuple[str, dict[str, Any]] | None:
    """Return SQL for the numbers of the parts that a document `d` is in; None where the tenant has no parts."""
    rows = await fetch_all(
        connection, "select number, filter from parts where tenant_id = %(tenant)s order by number", {"tenant": tenant}
    )
    if not rows:
        return None
    conditions, parameters = compile_all([filter_from(row["filter"]) for row in rows])
    cases = (f"case when {sql} then {row['number']:d} end" for row, sql in zip(rows, conditions, strict=True))
    return f"array_remove(array[{', '.join(cases)}]::integer[], null)", parameters
