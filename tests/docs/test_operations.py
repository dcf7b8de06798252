"""The commands of the pages on backups and upgrades are carried out, each as it stands."""

from __future__ import annotations

import secrets
import shlex

import psycopg
import pytest

from app.__main__ import build_parser, main
from app.cli.backup import SECRETS
from tests.conftest import with_database
from tests.docs.pages import blocks, read
from tests.upgrade.restoring import DUMP, restore_database

BACKUP, UPGRADE = "docs/operations/backup.md", "docs/operations/upgrade.md"
FILLED = """
select set_config('app.tenant', '1', false);
insert into documents (tenant_id, id, media_type, bytes, sha256, chunks, blob)
values (1, 'guide', 'text/plain', 3, sha256('abc'), 0, '1/file');
"""
# They bring the new version, which is here already.
REPLACED = tuple(f"docker compose up -d --no-deps {each}" for each in ("--wait api", "--wait api-2", "worker"))
OF_OTHERS = ("git pull", "python3 -m app.up.install", "docker compose build --pull", *REPLACED)
IN_A_CONTAINER = ["docker", "compose", "run", "--rm", "-T"]


@pytest.fixture
def installation(owner_url, tmp_path, monkeypatch):
    """Of today, with a document."""
    home = tmp_path / "home"
    (home / "blobs" / "1").mkdir(parents=True)
    (home / "blobs" / "1" / "file").write_bytes(b"abc")
    with psycopg.connect(owner_url) as owner:
        owner.execute("delete from documents")
        owner.execute(FILLED)
    monkeypatch.setenv("DATABASE_URL", owner_url)
    monkeypatch.setenv("KYUJANG_HOME", str(home))
    return owner_url


@pytest.fixture
def another(postgres):
    """An empty database."""
    name = f"page_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.owner_url, autocommit=True) as owner:
        owner.execute(f"create database {name}")
        yield with_database(postgres.owner_url, name)
        owner.execute(f"drop database {name} with (force)")


@pytest.fixture
def carry_out(tmp_path, monkeypatch, capsys):
    """Carry out a block's lines with folders of this test, and return what they have written."""
    # The fixture that opens the model once hides its class.
    monkeypatch.setattr("app.cli.migrate.dimension_of", lambda _: 384)

    def run(block: str) -> str:
        for line in block.splitlines():
            here = line.replace("/var/lib/kyujang", str(tmp_path / "elsewhere"))
            with monkeypatch.context() as patch:
                assert line in OF_OTHERS or main(_arguments(here, patch, str(tmp_path / "backups"))) == 0, line
        return "".join(capsys.readouterr())

    return run


def _arguments(line: str, patch: pytest.MonkeyPatch, backups: str) -> list[str]:
    """Return what `python -m app` is given by the line, or by what the line starts."""
    words = shlex.split(line)
    while "=" in words[0]:
        patch.setenv(*words.pop(0).split("=", 1))
    if words[:5] == IN_A_CONTAINER:
        words = words[words.index("migrate", 5) + 1 :]
    elif words[:3] == [".venv/bin/python", "-m", "app"]:
        words = words[2:]
    elif words in (["make", "up"], ["docker", "compose", "up", "-d"]):
        words = ["app", "migrate"]
    assert words.pop(0) == "app", line
    return [word.replace("/backups", backups) if word.startswith("/backups") else word for word in words]


def documents(url: str) -> list[tuple]:
    with psycopg.connect(url) as owner:
        return owner.execute("select tenant_id, id from documents").fetchall()


def test_a_backup_is_made_checked_and_restored(installation, another, carry_out, monkeypatch):
    made, checked, restored = blocks(read(BACKUP), "console")
    assert "1 documents, 1 files" in carry_out(made)
    assert "whole: 1 tenants" in carry_out(checked)
    monkeypatch.setenv("DATABASE_URL", another)
    said = carry_out(restored)
    assert SECRETS.partition(":")[0] in said
    assert "KYUJANG_ADMIN_KEY, " in said
    assert documents(another) == documents(installation) == [(1, "guide")]


def test_an_upgrade_goes_forward_and_back(installation, another, carry_out, monkeypatch):
    backup, dry_run, up, container_dry_run, container_up, rolling, replaced, back, of_0_1 = blocks(
        read(UPGRADE), "console"
    )
    assert "backed up" in carry_out(backup)
    for block in (dry_run, container_dry_run):
        assert "There is nothing to do" in carry_out(block)
    for block in (up, container_up, rolling, replaced):
        assert "The database is up to date" in carry_out(block)
    with psycopg.connect(installation) as owner:
        owner.execute("delete from documents")
    assert "restored" in carry_out(back)
    assert documents(installation) == [(1, "guide")]
    restore_database(DUMP, another)
    monkeypatch.setenv("DATABASE_URL", another)
    said = carry_out(of_0_1)
    assert "Stop the API and the workers before" in said
    assert "The database is up to date" in said


def test_what_a_schedule_starts_is_a_command():
    scheduled = [line for kind in ("text", "ini") for each in blocks(read(BACKUP), kind) for line in each.splitlines()]
    commands = [line.partition(" -m app ")[2] for line in scheduled if " -m app " in line]
    assert len(commands) == 2
    for each in commands:
        assert build_parser().parse_args(each.split()).keep == 7
