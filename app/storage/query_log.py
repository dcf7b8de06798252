"""The query log: what a tenant's questions were answered with, where the operator has turned it on for the tenant.

It is written behind the answers, so that none waits for it, and read back for as many days as the tenant keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import DictRow

from app.errors import Conflict, NotFound
from app.storage import audit
from app.storage.database import Database, fetch_all, fetch_one
from app.storage.documents import chunk_number, public_chunk_id
from app.storage.tenancy import TenantNumber, is_kept

Verdict = Literal["supported", "unsupported", "unchecked", "no_answer"]
Vote = Literal["up", "down"]
MAX_DAYS = 3650
REMOVED_AT_ONCE = 5000
# Whether a query `q` is still kept: turned off, or older than the tenant keeps them, it is not.
KEPT = """
    q.at >= now() - make_interval(days => (select days from query_logs l where l.tenant_id = %(tenant)s))
"""


class QueryLogOff(Conflict):
    """This tenant's questions are not logged: the operator turns that on (`query_log_days`)."""

    code = "query_log_off"


@dataclass(frozen=True, slots=True)
class LoggedContext:
    """A chunk that was retrieved, by its public id."""

    chunk_id: str
    document_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Feedback:
    vote: Vote
    comment: str | None
    right_answer: str | None
    at: datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """`by` is the id of the key, `prompt` a name and a version."""

    id: str
    at: datetime
    by: str | None
    question: str
    search_query: str
    contexts: Sequence[LoggedContext]
    answer: str
    answer_mode: str
    citations: list[dict[str, Any]]
    unsupported: list[dict[str, Any]]
    verdict: Verdict
    no_answer_reason: str | None
    prompt: str | None
    model: str | None
    adapter: str | None
    timings_ms: dict[str, float]
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class Sought:
    """Which queries, newest first; `before` is the last of the page before."""

    limit: int
    before: tuple[datetime, str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    vote: Literal["up", "down", "none", "any"] | None = None
    verdict: Verdict | None = None


INSERT = """
    insert into queries (
        tenant_id, id, at, key_id, question, search_query, chunks, documents, scores, answer, answer_mode, citations,
        unsupported, verdict, no_answer_reason, prompt, model, adapter, timings_ms)
    values (
        %(tenant)s, %(id)s, %(at)s, %(by)s, %(question)s, %(search_query)s, %(chunks)s, %(documents)s, %(scores)s,
        %(answer)s, %(answer_mode)s, %(citations)s, %(unsupported)s, %(verdict)s, %(no_answer_reason)s, %(prompt)s,
        %(model)s, %(adapter)s, %(timings_ms)s)
    on conflict do nothing
"""
FOUND = f"""
    select q.* from queries q
    where q.tenant_id = %(tenant)s and {KEPT}
      and (%(at)s::timestamptz is null or (q.at, q.id) < (%(at)s::timestamptz, %(id)s))
      and (%(since)s::timestamptz is null or q.at >= %(since)s)
      and (%(until)s::timestamptz is null or q.at < %(until)s)
      and (%(verdict)s::text is null or q.verdict = %(verdict)s)
      and case %(vote)s::text when 'none' then q.vote is null when 'any' then q.vote is not null
              else %(vote)s::text is null or q.vote = %(vote)s end
    order by q.at desc, q.id desc limit %(limit)s
"""  # noqa: S608 - a constant


async def write(database: Database, tenant: TenantNumber, queries: Sequence[LoggedQuery]) -> None:
    """Add them, unless the log was turned off meanwhile."""
    async with database.transaction(tenant) as connection:
        on = await fetch_one(connection, "select from query_logs where tenant_id = %(tenant)s", {"tenant": tenant})
        if on is not None:
            async with connection.cursor() as cursor:
                await cursor.executemany(INSERT.encode(), [_row(tenant, each) for each in queries])


async def list_queries(database: Database, tenant: TenantNumber, sought: Sought) -> list[LoggedQuery]:
    at, query_id = sought.before or (None, None)
    key = {"tenant": tenant, "at": at, "id": query_id} | {
        name: getattr(sought, name) for name in Sought.__slots__ if name != "before"
    }
    async with database.transaction(tenant) as connection:
        return [_query(row) for row in await fetch_all(connection, FOUND, key)]


async def refuse_if_off(database: Database, tenant: TenantNumber) -> None:
    """Raises QueryLogOff."""
    async with database.transaction(tenant) as connection:
        on = await fetch_one(connection, "select from query_logs where tenant_id = %(tenant)s", {"tenant": tenant})
    if on is None:
        raise QueryLogOff


async def give_feedback(
    database: Database,
    tenant: TenantNumber,
    query_id: str,
    vote: Vote,
    comment: str | None,
    right_answer: str | None,
    key_id: str | None,
) -> Feedback:
    """Store it in the place of an earlier one. Raises NotFound."""
    key = {"tenant": tenant, "id": query_id, "vote": vote, "comment": comment, "answer": right_answer, "by": key_id}
    async with database.transaction(tenant) as connection:
        row = await fetch_one(
            connection,
            f"""
            update queries q set vote = %(vote)s, comment = %(comment)s, right_answer = %(answer)s, voted_at = now(),
                voted_by = %(by)s
            where q.tenant_id = %(tenant)s and q.id = %(id)s and {KEPT} returning q.*
            """,  # noqa: S608 - a constant
            key,
        )
    if row is None or (given := _feedback(row)) is None:
        raise NotFound
    return given


async def set_days(database: Database, slug: str, days: int | None) -> None:
    """Log the tenant's queries and keep them for so many days; None turns it off. Raises NotFound."""
    async with database.operator() as connection:
        row = await fetch_one(
            connection,
            f"""
            select t.id, l.days from tenants t left join query_logs l on l.tenant_id = t.id
            where t.slug = %(slug)s and {is_kept("t.id")} for no key update of t
            """,  # noqa: S608 - a constant
            {"slug": slug},
        )
        if row is None:
            raise NotFound(f"There is no tenant {slug!r}.")
        if row["days"] == days:
            return
        change = (
            "delete from query_logs where tenant_id = %(tenant)s"
            if days is None
            else """
                insert into query_logs (tenant_id, days) values (%(tenant)s, %(days)s)
                on conflict (tenant_id) do update set days = excluded.days
            """
        )
        await connection.execute(change.encode(), {"tenant": row["id"], "days": days})
        before, after = ({"query_log_days": each} for each in (row["days"], days))
        await audit.record(connection, row["id"], "change", "tenant", slug, before=before, after=after)


async def remove_old(database: Database, tenant: TenantNumber) -> int:
    """Remove what the tenant does not keep any more; all, where the log is off. Return how many."""
    removed, gone = 0, REMOVED_AT_ONCE
    while gone == REMOVED_AT_ONCE:
        async with database.transaction(tenant) as connection:
            rows = await fetch_all(
                connection,
                f"""
                delete from queries q where q.tenant_id = %(tenant)s and q.id in (
                    select q.id from queries q where q.tenant_id = %(tenant)s and ({KEPT}) is not true
                    limit {REMOVED_AT_ONCE}
                ) returning q.id
                """,  # noqa: S608 - constants
                {"tenant": tenant},
            )
        gone = len(rows)
        removed += gone
    return removed


def _row(tenant: TenantNumber, query: LoggedQuery) -> dict[str, Any]:
    own = {name: getattr(query, name) for name in LoggedQuery.__slots__ if name not in ("contexts", "feedback")}
    return {
        **{name: _storable(value) for name, value in own.items()},
        "tenant": tenant,
        "chunks": [chunk_number(each.chunk_id) for each in query.contexts],
        "documents": [each.document_id for each in query.contexts],
        "scores": [each.score for each in query.contexts],
    }


def _storable(value: Any) -> Any:
    """A model may write what PostgreSQL has not: NUL, and halves of characters."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode(errors="replace").decode()
    if isinstance(value, list | Mapping):
        text = json.dumps(value, ensure_ascii=False).replace("\\u0000", "")
        return text.encode(errors="replace").decode()
    return value


def _query(row: DictRow) -> LoggedQuery:
    contexts = [
        LoggedContext(public_chunk_id(chunk), document, score)
        for chunk, document, score in zip(row["chunks"], row["documents"], row["scores"], strict=True)
    ]
    columns = {name: row[name] for name in LoggedQuery.__slots__ if name in row}
    return LoggedQuery(**columns, by=row["key_id"], contexts=contexts, feedback=_feedback(row))


def _feedback(row: DictRow) -> Feedback | None:
    if row["vote"] is None:
        return None
    return Feedback(row["vote"], row["comment"], row["right_answer"], row["voted_at"], row["voted_by"])
