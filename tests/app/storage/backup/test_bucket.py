"""Backups in object storage: what a folder does not have. What both have is in test_backup.py."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from app.__main__ import main
from app.errors import NotConfigured
from app.settings.object_storage import storage_url
from app.storage.backup import bucket_destination
from app.storage.backup.errors import BackupFailed
from app.storage.backup.places import refuse_inside
from tests.app.storage.backup.backing import back_up, check, chunks, files, put_back
from tests.app.storage.backup.kept import paths, write
from tests.s3 import breaking_proxy, new_bucket


@pytest.fixture
def bucket(s3, monkeypatch):
    return new_bucket(s3, monkeypatch)


def test_a_wrong_bucket_is_said(library, settings, bucket):
    wrong = storage_url("s3://there-is-no-such-bucket/backups")
    for use in (lambda: back_up(settings, wrong), lambda: put_back(settings, wrong), lambda: check(wrong)):
        with pytest.raises(BackupFailed, match="s3://there-is-no-such-bucket/backups: there is no such bucket"):
            use()


def test_wrong_credentials_are_said_and_not_shown(library, settings, s3, bucket, monkeypatch):
    with breaking_proxy(s3) as (url, broken):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSECRET")
        broken.rule = lambda method, path: "403"
        for use in (lambda: back_up(settings, bucket), lambda: put_back(settings, bucket), lambda: check(bucket)):
            with pytest.raises(BackupFailed, match="credentials") as error:
                use()
            assert "AKIDSECRET" not in str(error.value)


def test_a_command_ends_with_the_reason(settings, bucket, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", settings.owner_url)
    monkeypatch.setenv("KYUJANG_HOME", str(settings.home))
    for command in (["backup"], ["backup", "--keep", "2"], ["restore", "--check"]):
        assert main([*command, "s3://there-is-no-such-bucket/backups"]) == 1
        assert "there is no such bucket" in capsys.readouterr().err
        assert main([*command, "s3:/wrong://"]) == 1
        assert "s3://bucket/prefix" in capsys.readouterr().err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert main(["backup", str(bucket)]) == 1
    assert "AWS_ACCESS_KEY_ID" in capsys.readouterr().err
    with pytest.raises(NotConfigured, match="AWS_ACCESS_KEY_ID"):
        back_up(settings, bucket)


def test_a_connection_that_breaks_costs_time_alone(library, settings, s3, bucket, elsewhere, monkeypatch):
    """Each request fails once in one way."""
    faults, seen = ("503", "cut upload", "cut answer", "lost answer"), Counter()
    with breaking_proxy(s3) as (url, broken):

        def rule(method, path):
            seen[method, path] += 1
            return faults[len(seen) % len(faults)] if seen[method, path] == 1 else None

        broken.rule = rule
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert back_up(settings, bucket).damaged == []
        put_back(elsewhere, bucket)
    assert {fault for *_, fault in broken.seen} >= {"503", None}
    assert chunks(elsewhere) == chunks(settings)
    assert files(elsewhere) == files(settings)


def test_a_backup_that_fails_leaves_nothing(library, settings, s3, bucket, monkeypatch):
    first = back_up(settings, bucket)
    there = paths(bucket)
    monkeypatch.setattr(bucket_destination.BucketDestination, "known", lambda *_: None)

    def refused(self, manifest):
        raise BackupFailed("refused")

    monkeypatch.setattr(bucket_destination.BucketDestination, "finish", refused)
    with pytest.raises(BackupFailed, match="refused"):
        back_up(settings, bucket)
    assert paths(bucket) == there
    check(bucket, first.name)


def test_the_lock_of_a_killed_backup_ends_by_itself_and_so_does_what_it_left(library, settings, bucket, monkeypatch):
    write(bucket, "locks/killed", b"")
    write(bucket, "backups/2026-11-27T03-00-00.000000Z/database.dump", b"half of it")
    write(bucket, "blobs/1/of-the-killed-one", b"x")
    with pytest.raises(BackupFailed, match="Another backup"):
        back_up(settings, bucket)
    monkeypatch.setattr(bucket_destination, "STALE", timedelta(seconds=-60))
    made = back_up(settings, bucket)
    assert {path.split("/")[1] for path in paths(bucket) if path.startswith("backups/")} == {made.name}
    assert not {"locks/killed", "blobs/1/of-the-killed-one"} & paths(bucket)


def test_a_place_with_anothers_files_is_refused(library, settings, bucket):
    write(bucket, "blobs/1/of-an-installation", b"x")
    with pytest.raises(BackupFailed, match="no backup brought"):
        back_up(settings, bucket)
    assert paths(bucket) == {"blobs/1/of-an-installation"}


@pytest.mark.parametrize("storage", ["s3://b/files", "s3://b/files/below", "s3://b"])
def test_backups_do_not_lie_among_the_files(library, settings, bucket, storage):
    with pytest.raises(BackupFailed, match="KYUJANG_STORAGE"):
        back_up(settings.model_copy(update={"storage": storage}), storage_url("s3://b/files"))


def test_a_prefix_that_only_begins_alike_is_another_place(settings):
    refuse_inside(settings.model_copy(update={"storage": "s3://b/files"}), storage_url("s3://b/files-backups"))
