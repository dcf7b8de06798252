"""No backup, a damaged one, a wrong place, a full disk: an error that says what to do, and nothing is changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import psycopg
import pytest

from app.__main__ import main
from app.settings import Settings
from app.storage.backup.destinations import keep_newest, list_backups
from app.storage.backup.errors import BackupFailed
from app.storage.backup.manifest import read_manifest
from app.up.accounts import database_account
from tests.app.storage.backup.backing import back_up, chunks, files, put_back, tables
from tests.conftest import with_database

# Of the bytes of a .tar without the zeros at its end, before which the manifest stands.
CUTS = (0, 1, 511, 512, 1000, 0.3, 0.6, 0.9, -600, -1)


@pytest.fixture(scope="module")
def backups(library, settings, tmp_path_factory):
    """A folder and a .tar, to be copied."""
    place = tmp_path_factory.mktemp("made")
    back_up(settings, place / "folder")
    back_up(settings, place / "b.tar")
    return place


@pytest.fixture
def folder(backups, tmp_path):
    return shutil.copytree(backups / "folder", tmp_path / "folder")


def own(folder):
    return folder / "backups" / list_backups(folder)[-1]


def assert_untouched(elsewhere) -> None:
    assert tables(elsewhere) == []
    assert [path.name for path in elsewhere.home.iterdir()] == ["models"]


def rewritten(path, **changed) -> None:
    """The manifest with other values, and the checksum that fits them."""
    values = asdict(read_manifest(path.parent)) | changed
    text = json.dumps(values).encode() + b"\n"
    path.write_bytes(text + hashlib.sha256(text).hexdigest().encode() + b"\n")


def refused(settings, monkeypatch, capsys, *command) -> str:
    """What the command says when it ends with status 1."""
    monkeypatch.setenv("DATABASE_URL", settings.owner_url)
    monkeypatch.setenv("KYUJANG_HOME", str(settings.home))
    assert main([str(part) for part in command]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


@pytest.mark.parametrize("cut", CUTS)
def test_a_tar_that_is_cut_anywhere(backups, elsewhere, tmp_path, cut, monkeypatch, capsys):
    content = (backups / "b.tar").read_bytes().rstrip(b"\0")
    end = int(cut * len(content)) if isinstance(cut, float) else cut
    (tmp_path / "b.tar").write_bytes(content[:end])
    for check in (["--check"], []):
        said = refused(elsewhere, monkeypatch, capsys, "restore", *check, tmp_path / "b.tar")
        assert f"{tmp_path / 'b.tar'} is not a whole .tar" in said
        assert "another copy" in said
    assert_untouched(elsewhere)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "No such file"),
        ("text", "not a whole .tar"),
        ("other tar", "not a whole .tar"),
        ("empty folder", "holds no backup"),
        ("home", "holds no backup"),
        ("no such name", "holds no backup monday; there are 20"),
    ],
)
def test_a_source_that_is_no_backup(backups, settings, elsewhere, tmp_path, kind, says, monkeypatch, capsys):
    place = tmp_path / "it"
    if kind == "text":
        place.write_text("Dear library," * 1000)
    elif kind == "other tar":
        with tarfile.open(place, "w") as tar:
            tar.add(__file__, "a.py")
    elif kind == "empty folder":
        place.mkdir()
    source = {"home": settings.home, "no such name": backups / "folder"}.get(kind, place)
    name = ["--name", "monday"] if kind == "no such name" else []
    assert says in refused(elsewhere, monkeypatch, capsys, "restore", *name, source)
    assert_untouched(elsewhere)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"schema": "9999"}, "restore it with that version"),
        ({"format": 2}, "newer Kyujang"),
        ({"surprise": 1}, "not one that Kyujang writes"),
        ({"tenants": [{"number": "one"}]}, "not one that Kyujang writes"),
        ({"database": {"path": "database.dump", "size": 5, "sha256": ""}}, "database.dump"),
        ({"tenants": []}, "does not have what the backup counted"),
    ],
)
def test_a_manifest_that_says_something_else(folder, elsewhere, changed, says, monkeypatch, capsys):
    rewritten(own(folder) / "manifest.json", **changed)
    assert says in refused(elsewhere, monkeypatch, capsys, "restore", folder)
    assert tables(elsewhere) == []
    assert files(elsewhere) == {}


@pytest.mark.parametrize("path", ["../../outside", "blobs/../../outside", "postgres/data", "blobs//etc/passwd"])
def test_a_list_that_names_a_place_outside(folder, elsewhere, path, monkeypatch, capsys):
    listed = own(folder) / "files.jsonl"
    lines = listed.read_bytes() + json.dumps({"path": path, "size": 0, "sha256": ""}).encode() + b"\n"
    listed.write_bytes(lines)
    its = {"path": "files.jsonl", "size": len(lines), "sha256": hashlib.sha256(lines).hexdigest()}
    rewritten(own(folder) / "manifest.json", files=its)
    assert "where Kyujang keeps no file" in refused(elsewhere, monkeypatch, capsys, "restore", folder)
    assert_untouched(elsewhere)


def test_a_tampered_byte_is_named_and_the_next_backup_brings_the_file_again(
    folder, settings, elsewhere, monkeypatch, capsys
):
    tampered = next(path for path in sorted((folder / "blobs").rglob("*")) if path.is_file())
    tampered.write_bytes(b"x" * tampered.stat().st_size)
    name = str(tampered.relative_to(folder))
    assert name in refused(elsewhere, monkeypatch, capsys, "restore", "--check", folder)
    assert name in refused(elsewhere, monkeypatch, capsys, "restore", folder)
    assert_untouched(elsewhere)
    tampered.unlink()
    back_up(settings, folder)
    put_back(elsewhere, folder)
    assert files(elsewhere) == files(settings)


def test_a_damaged_list_stops_the_next_backup_and_says_how_to_go_on(folder, settings, monkeypatch, capsys):
    listed = own(folder) / "files.jsonl"
    listed.write_bytes(listed.read_bytes().replace(b"blobs", b"blogs", 1))
    before = sorted(folder.rglob("*"))
    said = refused(settings, monkeypatch, capsys, "backup", folder)
    assert str(listed) in said
    assert f"Delete {listed.parent}" in said
    assert sorted(folder.rglob("*")) == before
    shutil.rmtree(listed.parent)
    (folder / "blobs" / "1").mkdir(exist_ok=True)


@pytest.mark.parametrize("name", ["kept", "kept.tar"])
def test_a_place_that_cannot_be_written(library, settings, monkeypatch, capsys, name):
    """For root neither."""
    said = refused(settings, monkeypatch, capsys, "backup", f"/sys/kernel/{name}")
    assert f"/sys/kernel/{name}: It cannot be written" in said
    assert "Name a place" in said


@pytest.mark.parametrize("below", [".", "blobs", "backups/daily", "b.tar", "../{home}/x"])
def test_a_place_within_the_data_folder(library, settings, monkeypatch, capsys, below):
    before = files(settings)
    place = settings.home / below.format(home=settings.home.name)
    assert "name a place outside" in refused(settings, monkeypatch, capsys, "backup", place)
    assert files(settings) == before


def test_the_home_of_another_installation_and_other_folders_of_the_same_names(library, settings, tmp_path):
    for path in ("home/blobs/1/abc", "home/lock", "shelf/adapters/1/x/weights"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("theirs")
    before = sorted(tmp_path.rglob("*"))
    for name in ("home", "shelf"):
        with pytest.raises(BackupFailed, match="an empty folder"):
            back_up(settings, tmp_path / name)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == [tmp_path / "shelf" / "lock"]
    # Whatever else is in a folder of that name stays.
    (tmp_path / "both" / "backups" / "photos").mkdir(parents=True)
    (tmp_path / "both" / "backups" / "photos" / "cat.jpg").write_text("cat")
    back_up(settings, tmp_path / "both")
    back_up(settings, tmp_path / "both")
    assert keep_newest(tmp_path / "both", 1, settings.home) == 1
    assert (tmp_path / "both" / "backups" / "photos" / "cat.jpg").read_text() == "cat"


@pytest.fixture
def small_disk(tmp_path):
    """Makes disks of so many KB."""
    mounted = []

    def mount(kilobytes: int, name: str = "disk"):
        place = tmp_path / name
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=711", "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root mounts a disk")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("name", ["kept", "kept.tar"])
@pytest.mark.parametrize("part", [0.1, 0.9])
def test_a_full_disk_in_the_middle_of_a_backup(backups, library, settings, small_disk, name, part, monkeypatch, capsys):
    whole = sum(path.stat().st_blocks for path in (backups / "folder").rglob("*")) // 2
    disk = small_disk(int(whole * part))
    said = refused(settings, monkeypatch, capsys, "backup", disk / name)
    assert f"{disk / name}: There is no room left. Free some" in said
    assert [path.name for path in disk.rglob("*") if path.is_file() and path.name != "lock"] == []


@pytest.mark.parametrize("source", ["folder", "b.tar"])
def test_a_full_disk_in_the_middle_of_a_restore(backups, settings, elsewhere, small_disk, source, monkeypatch, capsys):
    put_back(elsewhere, backups / "folder")
    before = chunks(elsewhere)
    files_kb = sum(path.stat().st_size for kind in ("blobs", "adapters") for path in (elsewhere.home / kind).rglob("*"))
    home = small_disk(files_kb // 1024 + 8)
    for kind in ("blobs", "adapters"):
        shutil.copytree(elsewhere.home / kind, home / kind)
    full = Settings(database_url=elsewhere.owner_url, home=home, engine="none")
    held = files(full)
    said = refused(full, monkeypatch, capsys, "restore", "--replace", backups / source)
    assert "There is no room left" in said
    assert chunks(full) == before
    assert files(full) == held


def test_a_full_disk_of_the_database_in_the_middle_of_a_restore(
    backups, postgres, elsewhere, small_disk, monkeypatch, capsys
):
    """It has its files in a tablespace on a disk of its own."""
    disk = small_disk(20_000)
    if account := database_account():
        account.owns(disk)
    for above in takewhile(lambda folder: folder != Path(gettempdir()), disk.parents):
        above.chmod(0o711)
    with psycopg.connect(postgres.owner_url, autocommit=True) as owner:
        owner.execute(f"create tablespace small location '{disk}'")
        owner.execute("create database small tablespace small")
        (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free - (300 << 10)))
        try:
            url = with_database(postgres.owner_url, "small")
            small = Settings(database_url=url, home=elsewhere.home, engine="none")
            assert "There is no room left" in refused(small, monkeypatch, capsys, "restore", backups / "folder")
            assert tables(small) == []
            assert files(small) == {}
        finally:
            owner.execute("drop database small with (force)")
            owner.execute("drop tablespace small")


def test_what_a_full_disk_says_by_its_exit_status_and_a_whole_backup_too(backups, elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", elsewhere.owner_url)
    monkeypatch.setenv("KYUJANG_HOME", str(elsewhere.home))
    assert main(["restore", "--check", "--json", str(backups / "b.tar")]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == "whole"
    assert_untouched(elsewhere)
    assert main(["backup", "--keep", "0", str(backups / "folder")]) == 2


def test_older_backups_on_a_disk_that_became_read_only(settings, small_disk):
    disk = small_disk(50_000)
    back_up(settings, disk / "kept")
    back_up(settings, disk / "kept")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(BackupFailed, match=r"older ones cannot be removed from .*kept: Read-only"):
        keep_newest(disk / "kept", 1, settings.home)
    assert len(list_backups(disk / "kept")) == 2


def test_a_tar_is_checked_where_it_is(backups, settings, small_disk, monkeypatch, capsys):
    """There is room for its lists, not for its files."""
    whole = sum(path.stat().st_size for path in (backups / "folder").rglob("*")) // 1024
    monkeypatch.setenv("KYUJANG_HOME", str(small_disk(whole // 4)))
    assert main(["restore", "--check", str(backups / "b.tar")]) == 0
    assert "whole" in capsys.readouterr().out
