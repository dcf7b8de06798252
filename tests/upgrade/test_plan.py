"""What `migrate` says beforehand of the database of 0.1, and what it leaves when it is killed at any point."""

from __future__ import annotations

import json
import secrets
import subprocess

import psycopg
import pytest

from app.__main__ import main
from app.settings import Settings
from app.storage.migrate import plan
from app.storage.revisions import pending
from app.up.pgbinaries import packaged_binaries
from tests.conftest import with_database
from tests.upgrade.killing import kill_at_each_step, kill_process, steps_left
from tests.upgrade.restoring import DUMP, restore_database

FROM_0_1 = pending("0007")


@pytest.fixture(scope="module")
def old(postgres) -> Settings:
    name = f"planned_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        url = with_database(postgres.owner_url, name)
        restore_database(DUMP, url)
        yield Settings(database_url=url, engine="none")
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def command(old, monkeypatch, capsys):
    """Run `python -m app migrate`, and return what it has written: on stdout, on stderr."""
    monkeypatch.setenv("DATABASE_URL", old.owner_url)

    def run(*arguments, code=0):
        assert main(["migrate", *arguments]) == code
        return capsys.readouterr()

    return run


def schema(url) -> str:
    """As pg_dump writes it, without the random words that it guards psql with."""
    dump = [packaged_binaries() / "bin" / "pg_dump", "--schema-only", "--no-owner", url]
    text = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("\\"))


def test_a_dry_run_says_what_will_be_done_and_does_nothing(old, command):
    before = schema(old.owner_url)
    said = command("--dry-run").out
    for revision in FROM_0_1:
        assert f"{revision.number}  {revision.says}" in said
    assert "reads and writes wait for: ingest_turns, job_items, jobs, tasks, tenants" in said
    assert "gone afterwards: ingest_turns, job_items.bytes, tasks" in said
    assert "Stop the API and the workers before (0 of their connections are open)." in said
    assert "only Kyujang 0.2.0 or newer runs on this database. The way back is a backup" in said
    assert schema(old.owner_url) == before


def test_a_dry_run_counts_rows_bytes_and_seconds(old, command):
    planned = json.loads(command("--dry-run", "--json").out)
    assert (planned["done"], planned["stored"], planned["newest"]) == ("planned", "0007", FROM_0_1[-1].number)
    assert (planned["needs_stop"], planned["no_way_back"], planned["oldest_software"]) == (True, True, "0.2.0")
    steps = {step["name"]: step for step in planned["steps"]}
    with psycopg.connect(old.owner_url) as owner:
        (documents, tenants, chunks) = owner.execute(
            "select (select count(*) from documents), (select count(*) from tenants), (select count(*) from chunks)"
        ).fetchone()
        (size,) = owner.execute(
            "select pg_total_relation_size('documents') + pg_total_relation_size('tenants')"
        ).fetchone()
    assert (steps["0015"]["rows"], steps["0015"]["bytes"]) == (documents + tenants, size)
    assert steps["0015"]["locks"] == {"document_values": "AccessExclusiveLock", "documents": "AccessExclusiveLock"}
    assert (steps["texts"]["rows"], steps["0016"]["rows"]) == (chunks, 0)
    assert "documents" in steps["backups"]["locks"]
    assert planned["seconds"] == pytest.approx(sum(step["seconds"] for step in planned["steps"]), abs=0.06)


def test_a_service_that_cannot_run_meanwhile_is_refused(template, old, command):
    with psycopg.connect(old.service_url):
        refused = command(code=1).err
        assert "The service is running (1 connections)" in refused
        assert "stop the API and the workers" in refused
    assert plan(old).stored == "0007"


def test_killed_at_any_step_and_run_again_it_ends_at_the_same_schema(template, old, postgres, command):
    kill_process(old, FROM_0_1[0].number)
    assert plan(old).stored == "0007"
    kill_at_each_step(old)
    last = command()
    assert "The database is up to date" in last.out
    assert "texts  Analyse all stored texts again" in last.err
    assert steps_left(old) == []
    assert schema(old.owner_url) == schema(with_database(postgres.owner_url, template))
    with psycopg.connect(old.owner_url) as owner:
        (chunks, analysed) = owner.execute(
            "select (select count(*) from chunks), (select count(distinct (tenant_id, chunk_id)) from postings)"
        ).fetchone()
    assert chunks == analysed > 0
    assert "There is nothing to do" in command("--dry-run").out
