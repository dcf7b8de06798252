"""Each revision says beforehand what it does, and what runs meanwhile is not kept waiting (CONTRIBUTING.md)."""

from __future__ import annotations

import re
import secrets
import shutil

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from app.storage import revisions
from app.storage.revisions import pending
from app.storage.schema import MIGRATIONS, release, stored_schema
from tests.conftest import with_database
from tests.upgrade.measuring import Measured, faults, measured
from tests.upgrade.restoring import DUMP, restore_database

FROM_0_1 = pending("0007")


@pytest.fixture(scope="module")
def of_0_1(postgres):
    name = f"revisions_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        url = with_database(postgres.owner_url, name)
        restore_database(DUMP, url)
        yield url
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def done(of_0_1) -> dict[str, Measured]:
    return {each.number: measured(of_0_1, each) for each in FROM_0_1}


@pytest.mark.parametrize("revision", FROM_0_1, ids=lambda each: each.number)
def test_a_revision_does_what_it_says(done, revision):
    assert faults(revision, done[revision.number]) == []


def test_each_revision_stores_the_oldest_software_that_may_run(done, of_0_1):
    with psycopg.connect(of_0_1) as owner:
        last = stored_schema(owner)
    assert (last.revision, last.oldest_software) == (FROM_0_1[-1].number, FROM_0_1[-1].oldest_software)
    needed = [release(each.oldest_software) for each in FROM_0_1]
    assert needed == sorted(needed)


BAD = {
    "a lock while each row is read": (
        'locks = {"documents": "ShareLock"}\nworks_on = ("documents",)',
        "create index documents_title on documents (title)",
        "make two revisions of it",
    ),
    "a lock that is not said": ("", "alter table documents add column extra text", "write locks = {'documents'"),
    "a column that is gone": (
        'locks = {"documents": "AccessExclusiveLock"}',
        "alter table documents drop column sent_type",
        r"write drops = \('documents.sent_type',\)",
    ),
    "a column of another type": (
        'locks = {"documents": "AccessExclusiveLock"}',
        "alter table documents alter column sent_title type varchar",
        r"write drops = \('documents.sent_title',\)",
    ),
    "a column that older software does not fill": (
        'locks = {"jobs": "AccessExclusiveLock"}',
        "alter table jobs add column extra text not null default ''; alter table jobs alter column extra drop default",
        r"does not fill \['jobs.extra'\]",
    ),
    "rows that are written unsaid": ("", "update jobs set kind = kind", r"write works_on = \('jobs',\)"),
    "a lock that is gone before anybody looks": (
        'works_on = ("jobs",)',
        "with op.get_context().autocommit_block(): op.execute('create index more on jobs (kind)')",
        "not outside of a transaction",
    ),
}
CONCURRENTLY = """with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        op.execute("drop index concurrently if exists job_items_size")
        op.execute("create index concurrently job_items_size on job_items (kind)")
        op.execute("set lock_timeout = '500ms'")"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a revision after the last."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(revisions, "MIGRATIONS", folder)

    def write(said: str, does: str):
        head = f'"""Made up."""\nfrom alembic import op\nrevision, down_revision = "9001", "{FROM_0_1[-1].number}"\n'
        does = does if does.startswith("with op.") else f'op.execute("{does}")'
        body = f'oldest_software = "0.2.0"\n{said}\ndef upgrade():\n    {does}\n'
        (folder / "versions" / "9001_made_up.py").write_text(head + body)
        (revision,) = pending(FROM_0_1[-1].number)
        return revision

    return write


@pytest.fixture
def undone(of_0_1, done):
    """Take back what the test has applied."""
    yield of_0_1
    with psycopg.connect(of_0_1) as owner:
        owner.execute("delete from schema_revisions where revision = '9001'")
        owner.execute("update alembic_version set version_num = %s", [FROM_0_1[-1].number])


@pytest.mark.parametrize(("said", "does", "fault"), BAD.values(), ids=BAD)
def test_what_would_keep_queries_waiting_is_found(undone, write, said, does, fault):
    revision = write(said, does)
    (found,) = faults(revision, measured(undone, revision))
    assert re.search(fault, found)


def test_an_index_that_is_built_beside_the_service_may_be_interrupted(undone, write):
    """As CONTRIBUTING.md has it. A unique one, which cannot be, leaves what an interruption leaves."""
    valid = "select indisvalid from pg_index where indexrelid = 'job_items_size'::regclass"
    said = 'works_on = ("job_items",)'
    with pytest.raises(IntegrityError):
        revisions.apply(undone, write(said, CONCURRENTLY.replace("create index", "create unique index")))
    with psycopg.connect(undone) as owner:
        assert owner.execute(valid).fetchone() == (False,)
    revision = write(said, CONCURRENTLY)
    assert faults(revision, measured(undone, revision)) == []
    with psycopg.connect(undone) as owner:
        assert owner.execute(valid).fetchone() == (True,)
