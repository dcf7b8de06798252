"""What a session of the service's role sees of a tenant is the part that it names, by the database's own policies."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from app.settings import Settings
from app.storage.tenants import create_tenant, tenant_by_slug
from tests.conftest import ADMIN_KEY

pytestmark = pytest.mark.usefixtures("worker")

ADD = """
    with part as (
        insert into parts (tenant_id, filter, digest) values (%(tenant)s, '{}', %(digest)s) returning number
    ), held as (
        insert into part_documents (tenant_id, part, document, number)
        select d.tenant_id, part.number, d.id, d.number from part, documents d
        where d.tenant_id = %(tenant)s and d.id = any(%(ids)s)
    ), items as (
        update job_items set parts = parts || (select number from part)
        where tenant_id = %(tenant)s and document_id = any(%(ids)s)
    )
    select number from part
"""
STAGED = """
    insert into staged_chunks (tenant_id, job_id, n, ord, start, stop, tokens, content, embedding, space)
    select tenant_id, job_id, n, 0, 0, 9, 2, document_id, (select ('[' || repeat('0,', 383) || '1]')::halfvec), 1
    from job_items where tenant_id = %s
"""
LOGGED = """
    insert into queries (tenant_id, id, at, question, search_query, chunks, documents, scores, answer, answer_mode,
                         citations, unsupported, verdict, timings_ms)
    select %(tenant)s, 'q_' || string_agg(document_id, '+' order by document_id), now(), '', '',
           array_agg(id), '{}', '{}', '', 'extracted', '[]', '[]', 'supported', '{}'
    from chunks where tenant_id = %(tenant)s and document_id = any(%(ids)s)
"""
# Tasks that were answered from these parts; the last is of the whole tenant.
TASKS = """
    with made as (
        insert into jobs (tenant_id, id, kind) select %(tenant)s, 'job_' || name, 'evaluate'
        from unnest(%(names)s::text[]) name returning id
    )
    insert into job_items (tenant_id, job_id, n, kind, document_id, status, parts)
    select %(tenant)s, 'job_' || (each ->> 'name'), 0, 'evaluate', '', 'succeeded',
           array(select jsonb_array_elements_text(each -> 'parts')::integer)
    from jsonb_array_elements(%(tasks)s::jsonb) each
"""
# What a row tells of which document it is, by table.
NAMED = {
    "documents": "id",
    "chunks": "document_id",
    "vectors_1": "document_id",
    "changes": "document_id",
    "document_texts": "document_id",
    "document_values": "text",
    "job_items": "document_id",
    "jobs": "(select string_agg(document_id, '') from job_items i where i.job_id = jobs.id)",
    "staged_chunks": "content",
    "queries": "substring(id from 3)",
    "part_documents": "document",
}


@pytest.fixture(scope="module")
async def parts(services, anonymous, tenant, owner_url) -> dict[str, str]:
    """A tenant with the documents a, b and c: two parts, a deleted one, one of another tenant, and `tenant`."""
    found = {}
    for slug in ("sejong", "neighbour"):
        await create_tenant(services.database, slug, slug)
        found[slug] = (await tenant_by_slug(services.database, slug)).number
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        key = await anonymous.post(f"/tenants/{slug}/keys", json={"scopes": ["ingest", "read"]}, headers=headers)
        own = {"headers": {"Authorization": f"Bearer {key.json()['key']}"}}
        for name in "abc":
            body = {"documents": [{"id": name, "text": f"The letter {name}.", "metadata": {"name": name}}]}
            assert (await anonymous.post("/ingest?wait=60", json=body, **own)).json()["status"] == "succeeded"
    with psycopg.connect(owner_url) as owner:
        mine = found["sejong"]

        def add(tenant: int, *ids: str) -> str:
            row = owner.execute(ADD, {"tenant": tenant, "digest": "".join(ids).encode(), "ids": list(ids)}).fetchone()
            assert row is not None
            return str(row[0])

        made = {"ab": add(mine, "a", "b"), "bc": add(mine, "b", "c"), "none": add(mine, "c")}
        made["foreign"] = add(found["neighbour"], "a", "b", "c")
        owner.execute("delete from parts where number = %s", [int(made["none"])])
        owner.execute(STAGED, [mine])
        for ids in (["a"], ["a", "b"], ["c"]):
            owner.execute(LOGGED, {"tenant": mine, "ids": ids})
    return made | {"tenant": str(mine)}


def seen(settings: Settings, table: str, tenant: str, part: str | None) -> set[str]:
    with psycopg.connect(settings.service_url) as service:
        service.execute("select set_config('app.tenant', %s, true)", [tenant])
        if part is not None:
            service.execute("select set_config('app.part', %s, true)", [part])
        rows = service.execute(f"select {NAMED[table]} from {table}").fetchall()
        return {row[0] for row in rows}


@pytest.mark.parametrize("table", NAMED)
def test_a_session_sees_its_part_alone(settings, parts, table):
    def sees(part: str | None) -> set[str]:
        return seen(settings, table, parts["tenant"], part)

    if table == "queries":
        everything, ab, bc = {"a", "a+b", "c"}, {"a", "a+b"}, {"c"}
    else:
        everything, ab, bc = {"a", "b", "c"}, {"a", "b"}, {"b", "c"}
    assert sees("all") == everything
    assert sees(parts["ab"]) == ab
    assert sees(parts["bc"]) == bc
    assert sees(f"{parts['ab']},{parts['bc']}") == everything


@pytest.mark.parametrize("table", NAMED)
def test_without_a_part_or_with_one_that_is_none_it_sees_nothing(settings, parts, table):
    for part in (None, "", parts["none"], parts["foreign"], "0", "ALL"):
        if part == "ALL":
            with pytest.raises(psycopg.Error):
                seen(settings, table, parts["tenant"], part)
        else:
            assert seen(settings, table, parts["tenant"], part) == set(), part


def test_a_task_is_seen_by_who_sees_all_that_it_was_answered_from(settings, parts, owner_url):
    ab, bc, gone = parts["ab"], parts["bc"], parts["none"]
    tasks = {"ab": [ab], "both": [ab, bc], "gone": [ab, gone], "foreign": [parts["foreign"]], "whole": []}

    def sees(part: str | None) -> set[str]:
        with psycopg.connect(settings.service_url) as service:
            service.execute("select set_config('app.tenant', %s, true)", [parts["tenant"]])
            if part is not None:
                service.execute("select set_config('app.part', %s, true)", [part])
            rows = service.execute("select substring(job_id from 5) from job_items where kind = 'evaluate'").fetchall()
            jobs = service.execute("select substring(id from 5) from jobs where kind = 'evaluate'").fetchall()
            assert sorted(rows) == sorted(jobs)
            return {row[0] for row in rows}

    with psycopg.connect(owner_url) as owner:
        listed = [{"name": name, "parts": numbers} for name, numbers in tasks.items()]
        owner.execute(TASKS, {"tenant": int(parts["tenant"]), "names": [*tasks], "tasks": json.dumps(listed)})
    try:
        assert sees("all") == set(tasks)
        assert sees(ab) == sees(f"{ab},{gone}") == {"ab"}
        assert sees(bc) == set()
        assert sees(f"{ab},{bc}") == {"ab", "both"}
        for nothing in (None, "", gone, parts["foreign"], f"{gone},{parts['foreign']}", "0"):
            assert sees(nothing) == set(), nothing
    finally:
        with psycopg.connect(owner_url) as owner:
            owner.execute("delete from jobs where kind = 'evaluate'")


def test_a_part_is_nothing_without_its_tenant(settings, parts):
    for table in NAMED:
        with psycopg.connect(settings.service_url) as service:
            service.execute("select set_config('app.part', %s, true)", [parts["ab"]])
            assert service.execute(f"select count(*) from {table}").fetchone() == (0,), table


def test_a_session_of_a_part_writes_nothing_outside_it(settings, parts):
    with psycopg.connect(settings.service_url) as service:
        service.execute(
            "select set_config('app.tenant', %s, true), set_config('app.part', %s, true)",
            [parts["tenant"], parts["ab"]],
        )
        assert service.execute("update documents set title = 'mine' where id = 'c'").rowcount == 0
        assert service.execute("delete from chunks where document_id = 'c'").rowcount == 0
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            service.execute(
                "insert into part_documents (tenant_id, part, document, number) select %s, %s, 'c', 0",
                [int(parts["tenant"]), int(parts["bc"])],
            )
