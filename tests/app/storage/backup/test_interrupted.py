"""Backups and restores that are killed, wait long, or lose what they need: the next one finds a way on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import psycopg
import pytest

from app.errors import NotConfigured
from app.storage.backup import make, point, refusals
from app.storage.backup import restore as restoring
from app.storage.backup.access import connect_for_long
from app.storage.backup.destinations import list_backups
from app.storage.backup.errors import BackupFailed
from app.storage.backup.manifest import listed_files
from app.storage.migrate import ONE_AT_A_TIME, migrate
from ingest.cleanup import remove_noted
from tests.app.storage.backup.backing import back_up, chunks, files, put_back
from tests.conftest import ROOT, ingest_text
from tests.ingest.working import Worker

KILLED_BACKUP = """
import os
import sys
from app.__main__ import main
from app.storage.backup.point import Point
Point.tenants = lambda _: os._exit(9)
main(["backup", sys.argv[1]])
"""
KILLED_RESTORE = """
import os
import sys
from app.__main__ import main
from app.storage.backup import restore
setattr(restore, sys.argv[1], lambda *_, **__: os._exit(9))
main(["restore", "--replace", sys.argv[2]])
"""


async def killed(settings, program, *arguments) -> None:
    """As by kill -9: nothing more runs in that process."""
    env = os.environ | {"DATABASE_URL": settings.owner_url, "KYUJANG_HOME": str(settings.home)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    assert (await asyncio.to_thread(subprocess.run, command, env=env, cwd=ROOT, check=False)).returncode == 9


def holds(settings) -> list[tuple]:
    with psycopg.connect(settings.owner_url) as owner:
        return owner.execute("select extract(epoch from until - now())::float from removal_holds").fetchall()


async def test_the_hold_of_a_killed_backup_ends_by_itself_and_so_does_what_it_left(
    library, settings, services, tmp_path
):
    first = back_up(settings, tmp_path)
    async with Worker(services):
        await ingest_text(library, "Gone before the next backup.", id="between")
    await remove_noted(services)
    await killed(settings, KILLED_BACKUP, tmp_path)
    assert len(list((tmp_path / "backups").iterdir())) == 2
    assert list_backups(tmp_path) == [first.name]
    assert (await library.delete("/documents/between")).status_code == 204
    ((seconds,),) = holds(settings)
    assert seconds <= point.HOLD_S == 120
    assert await remove_noted(services) == 0
    with psycopg.connect(settings.owner_url) as owner:
        owner.execute("update removal_holds set until = until - make_interval(secs => %s)", [point.HOLD_S])
    assert await remove_noted(services) == 1
    second = back_up(settings, tmp_path)
    assert holds(settings) == []
    assert sorted(path.name for path in (tmp_path / "backups").iterdir()) == [first.name, second.name]
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    named = {file.path for name in list_backups(tmp_path) for file in listed_files(tmp_path / "backups" / name)}
    assert {path for path in there if path.startswith(("blobs", "adapters"))} == named


async def test_a_backup_that_lost_its_hold_is_not_kept(library, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(point, "HOLD_S", 0.4)
    real = make._dump

    def dump(*arguments):
        with psycopg.connect(settings.owner_url) as owner:
            owner.execute("delete from removal_holds")
        time.sleep(0.5)
        return real(*arguments)

    monkeypatch.setattr(make, "_dump", dump)
    with pytest.raises(BackupFailed, match="try again"):
        back_up(settings, tmp_path)
    assert list((tmp_path / "backups").iterdir()) == []
    assert list((tmp_path / "blobs").rglob("*.*")) == []


@pytest.fixture
def impatient(settings, elsewhere):
    """Databases that end a session on which nothing is said for a while, and a transaction that lasts."""
    limits = ("idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout")
    for url in (settings.owner_url, elsewhere.owner_url):
        with psycopg.connect(url) as owner:
            for limit in limits:
                owner.execute(f"alter database {owner.info.dbname} set {limit} = '200ms'")
    yield
    with psycopg.connect(settings.owner_url, options=" ".join(f"-c {limit}=0" for limit in limits)) as owner:
        owner.execute(f"alter database {owner.info.dbname} reset all")


async def test_a_database_s_limits_of_time_cut_no_backup_and_no_restore(
    library, settings, elsewhere, tmp_path, monkeypatch, impatient
):
    def slow(real):
        def waited(*arguments, **options):
            time.sleep(0.6)
            return real(*arguments, **options)

        return waited

    monkeypatch.setattr(make, "_dump", slow(make._dump))
    monkeypatch.setattr(restoring, "copy_files", slow(restoring.copy_files))
    back_up(settings, tmp_path)
    put_back(elsewhere, tmp_path)
    with connect_for_long(elsewhere.owner_url) as owner:
        assert owner.execute("select count(*) from documents").fetchone() == (3,)


@pytest.mark.parametrize("step", ["copy_files", "run_program", "_compare"])
async def test_a_restore_that_was_killed_is_undone_by_the_next(library, settings, elsewhere, tmp_path, step):
    back_up(settings, tmp_path)
    put_back(elsewhere, tmp_path)
    before, held = chunks(elsewhere), files(elsewhere)
    await killed(elsewhere, KILLED_RESTORE, step, tmp_path)
    with pytest.raises(NotConfigured, match="restore' again"):
        await asyncio.to_thread(migrate, elsewhere, dimension=lambda: 384)
    with pytest.raises(BackupFailed, match="not empty"):
        put_back(elsewhere, tmp_path)
    assert chunks(elsewhere) == before
    assert files(elsewhere) == held
    put_back(elsewhere, tmp_path, replace=True)
    assert files(elsewhere) == held


@pytest.mark.parametrize("step", ["_delete_replaced", "delete_aside"])
async def test_a_restore_that_was_killed_after_it_had_succeeded_is_ended_by_the_next(
    library, settings, elsewhere, tmp_path, step
):
    back_up(settings, tmp_path)
    put_back(elsewhere, tmp_path)
    with psycopg.connect(elsewhere.owner_url) as owner:
        owner.execute("delete from documents where id = 'fire'")
    await killed(elsewhere, KILLED_RESTORE, step, tmp_path)
    with pytest.raises(BackupFailed, match="not empty"):
        put_back(elsewhere, tmp_path)
    assert chunks(elsewhere) == chunks(settings)
    assert files(elsewhere) == files(settings)
    put_back(elsewhere, tmp_path, replace=True)
    assert files(elsewhere) == files(settings)


async def test_files_that_another_database_s_restore_has_set_aside_are_not_touched(
    library, settings, elsewhere, tmp_path
):
    back_up(settings, tmp_path)
    (elsewhere.blobs / ".replaced" / "1").mkdir(parents=True)
    (elsewhere.blobs / ".replaced" / "1" / "a").write_text("theirs")
    with pytest.raises(BackupFailed, match=r"blobs/\.replaced has files"):
        put_back(elsewhere, tmp_path, replace=True)
    assert files(elsewhere) == {"blobs/.replaced/1/a": b"theirs"}


async def test_what_cannot_be_deleted_after_a_restore_is_said_and_goes_with_the_next(
    library, settings, elsewhere, tmp_path, monkeypatch
):
    back_up(settings, tmp_path)
    put_back(elsewhere, tmp_path)

    def denied(folder):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "delete_aside", denied)
        with pytest.raises(BackupFailed, match=r"is restored, but .* the next restore"):
            put_back(elsewhere, tmp_path, replace=True)
    assert chunks(elsewhere) == chunks(settings)
    put_back(elsewhere, tmp_path, replace=True)
    assert files(elsewhere) == files(settings)


async def test_a_restore_does_not_begin_beside_a_backup_another_restore_or_a_migrate(
    library, settings, elsewhere, tmp_path, monkeypatch
):
    back_up(settings, tmp_path)
    monkeypatch.setattr(refusals, "BUSY_TRIES", 1)
    with connect_for_long(elsewhere.owner_url), pytest.raises(BackupFailed, match="at work on this database"):
        put_back(elsewhere, tmp_path)
    with psycopg.connect(elsewhere.owner_url) as migrating:
        migrating.execute("select pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        with pytest.raises(BackupFailed, match="at work on this database"):
            put_back(elsewhere, tmp_path)
    monkeypatch.undo()
    put_back(elsewhere, tmp_path)


async def test_no_index_of_the_replaced_database_stays(library, settings, elsewhere, tmp_path):
    back_up(settings, tmp_path)
    elsewhere.index_files.mkdir(parents=True)
    (elsewhere.index_files / "1").write_text("stale")
    put_back(elsewhere, tmp_path)
    assert not elsewhere.index_files.exists()
