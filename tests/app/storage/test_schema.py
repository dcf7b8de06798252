"""Only software that is too old for a schema refuses it."""

from __future__ import annotations

import psycopg
import pytest

from app.bootstrap import open_services
from app.errors import NotConfigured
from app.language.analyzer import Analyzer
from app.storage import schema
from app.storage.backup.make import make_backup
from app.storage.migrate import migrate, plan
from app.storage.schema import newest_schema, release
from ingest.reindexing import reindex


@pytest.fixture
def stored(settings):
    """Make the database another version's."""

    def store(revision, oldest_software):
        with psycopg.connect(settings.owner_url) as owner:
            owner.execute("update alembic_version set version_num = %s", [revision])
            owner.execute(
                "insert into schema_revisions (revision, oldest_software) values (%s, %s)", [revision, oldest_software]
            )

    yield store
    with psycopg.connect(settings.owner_url) as owner:
        owner.execute("delete from schema_revisions where revision > %s", [newest_schema()])
        owner.execute("update alembic_version set version_num = %s", [newest_schema()])


def back_up(settings, place):
    make_backup(settings, place, lambda *_: None)


async def test_software_that_is_new_enough_runs_on_a_newer_schema(settings, stored, tmp_path):
    stored("9001", "0.2.0")
    async with open_services(settings) as services:
        await services.database.ready()
    assert plan(settings.model_copy(update={"lexical": "kiwi"})).steps == []
    assert migrate(settings.model_copy(update={"lexical": "kiwi"}), dimension=lambda: 384).state == "active"
    with psycopg.connect(settings.owner_url) as owner:
        assert owner.execute("select version_num, name from alembic_version, lexical_scheme").fetchall() == [
            ("9001", Analyzer("bigrams").name)
        ]
    back_up(settings, tmp_path)


async def test_older_software_refuses_and_says_what_to_do(settings, stored, tmp_path):
    stored("9001", "9.1.0")
    refused = r"migrated for Kyujang 9\.1\.0 or newer, and this is 0\.[^:]+: install a newer version again, or restore"
    with pytest.raises(NotConfigured, match=refused):
        async with open_services(settings):
            pass
    with pytest.raises(NotConfigured, match=refused):
        migrate(settings, dimension=lambda: 384)
    with pytest.raises(NotConfigured, match=refused):
        back_up(settings, tmp_path)
    for step in (reindex.list_spaces, lambda settings: reindex.drop(settings, "another")):
        with pytest.raises(NotConfigured, match=refused):
            step(settings)


async def test_an_older_schema_is_migrated_first(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(schema, "newest_schema", lambda: "9001")
    with pytest.raises(NotConfigured, match="run 'python -m app migrate'"):
        async with open_services(settings):
            pass
    with pytest.raises(NotConfigured, match="run 'python -m app migrate'"):
        back_up(settings, tmp_path)


async def test_a_schema_from_before_versions_were_stored_is_migrated_first(settings):
    with psycopg.connect(settings.owner_url) as owner:
        owner.execute("alter table schema_revisions rename to not_yet")
    with pytest.raises(NotConfigured, match="run 'python -m app migrate'"):
        async with open_services(settings):
            pass
    with psycopg.connect(settings.owner_url) as owner:
        owner.execute("alter table not_yet rename to schema_revisions")


@pytest.mark.parametrize(("older", "newer"), [("0.2.0", "0.10.0"), ("0.2.0.dev0", "0.2.1"), ("0.1.0", "0.2.0.dev0")])
def test_versions_are_compared_as_numbers(older, newer):
    assert release(older) < release(newer)


def test_what_is_being_developed_may_do_what_its_release_may():
    assert release("0.2.0.dev0") == release("0.2.0")
