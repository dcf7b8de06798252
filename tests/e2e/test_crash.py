"""kill -9 of worker, API and database at random, while documents are taken in, replaced and deleted."""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from app.bootstrap import open_services
from app.settings import Settings
from app.storage.backup.destinations import list_backups
from app.storage.backup.errors import BackupFailed
from app.storage.backup.make import make_backup
from app.storage.backup.reading import open_backup
from app.storage.backup.restore import restore
from app.storage.object_storage import open_object_storage
from ingest.cleanup import remove_noted, sweep
from tests.conftest import home_with, with_database
from tests.contract.indexed import indexed
from tests.e2e.crashing import WORKERS, Service
from tests.e2e.writing import Ledger, Reader, Writer, content, marks_in, parts_of
from tests.s3 import breaking_proxy, new_bucket, s3_server

WRITERS = 5
MAX_DOCUMENTS_EACH = 40
PAUSE_S = 1.2
# On a slow machine the same document would be at hand at each death, and is given up after the fifth.
LIVES_S = 4
LIMIT_S = 1500
BACKUP_EVERY_S = 8
ORPHANS = (
    "select 1 from chunks c where not exists (select from documents d where d.id = c.document_id)",
    "select 1 from chunks c where not exists (select from vectors_1 v where v.chunk_id = c.id)",
    "select 1 from vectors_1 v where not exists (select from chunks c where v.chunk_id = c.id)",
    "select 1 from chunks group by document_id having count(*) <> max(ord) + 1 or count(distinct ord) <> count(*)",
    "select 1 from documents d where chunks <> (select count(*) from chunks c where c.document_id = d.id)",
    "select 1 from tenants where chunk_count <> (select count(*) from chunks)",
)
NAMED = """
select blob, sha256 from documents
union select blob, sha256 from job_items where status in ('queued', 'running')
"""
FAULTS = ("503", "slow", "cut upload", "cut answer", "lost answer")
FAULTY = 0.1
VICTIMS = ("postgres", "backend", "api", "worker-0", "worker-1", "worker-0", "worker-1")


pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def kills(request) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="module")
def storage(request) -> Iterator[str | None]:
    """Object storage behind a connection that breaks, if that is asked for."""
    if request.config.getoption("--storage") == "folder":
        yield None
        return
    with pytest.MonkeyPatch.context() as patch, s3_server() as server, breaking_proxy(server) as (address, broken):
        url = new_bucket(server, patch)
        patch.setenv("AWS_ENDPOINT_URL", address)
        chances = random.Random(17)
        broken.rule = lambda method, path: chances.choice(FAULTS) if chances.random() < FAULTY else None
        yield str(url)
        assert Counter(fault for *_, fault in broken.seen).keys() == {None, *FAULTS}


@pytest.fixture(scope="module")
def survivor(scratch, models, kills, storage):
    """(service, ledger, kills) once all is quiet again."""
    service, ledger, stop = Service(scratch / "crash", models, storage), Ledger(), threading.Event()
    backups = threading.Thread(target=back_up_until, args=(service.settings, scratch / "storm-backups", stop))
    killed: Counter[str] = Counter()
    killed_at: dict[str, float] = {}
    try:
        each = documents_each(kills)
        kept = [f"kept-{n}" for n in range(0, each, 4)]
        threads: list[threading.Thread] = [Reader(service.url, ledger, kept, stop)]
        for number in range(WRITERS):
            own = [f"책 {number}-{n}" for n in range(each)] + (kept if number == 0 else [])
            threads.append(Writer(service.url, ledger, own, stop, seed=number))
        threads.append(backups)
        for thread in threads:
            thread.start()
        for victim, pause in islice(victims(), kills):
            time.sleep(max(pause, killed_at.get(victim, 0) + LIVES_S - time.monotonic()))
            service.kill(victim)
            service.revive()
            killed[victim] += 1
            killed_at[victim] = time.monotonic()
        wait(service, lambda: ledger.is_full() and list_backups(scratch / "storm-backups"))
        stop.set()
        for thread in threads:
            while thread.is_alive():
                service.revive()
                thread.join(0.5)
        drain(service)
        yield service, ledger, killed
    finally:
        stop.set()
        service.stop()


def documents_each(kills: int) -> int:
    return min(2 * kills, MAX_DOCUMENTS_EACH)


def victims() -> Iterator[tuple[str, float]]:
    """Each of them in each round, and how long to wait before it is killed."""
    chances = random.Random(4)
    while True:
        for victim in chances.sample(VICTIMS, len(VICTIMS)):
            yield victim, chances.random() * 2 * PAUSE_S


def wait(service: Service, reached: Callable[[], object]) -> None:
    """Until this is so; what ends meanwhile is started again."""
    deadline = time.monotonic() + LIMIT_S
    while not reached():
        assert time.monotonic() < deadline, service.logs()
        service.revive()
        time.sleep(0.5)


def back_up_until(settings: Settings, folder: Path, stop: threading.Event) -> None:
    """Make one backup after the other; one whose database is killed is none. The last is made in any case."""
    while True:
        last = stop.is_set()
        with suppress(BackupFailed):
            make_backup(settings, folder, lambda *_: None)
            if last:
                return
        stop.wait(BACKUP_EVERY_S)


def drain(service: Service) -> None:
    wait(service, lambda: not rows(service, "select 1 from job_items where status in ('queued', 'running') limit 1"))
    service.wait_ready()


def rows(service: Service | str, query: str) -> list[tuple]:
    url = service if isinstance(service, str) else service.postgres.owner_url
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_the_storm_was_one(survivor, kills):
    _, ledger, killed = survivor
    assert sum(killed.values()) == kills
    assert set(killed) == set(VICTIMS) or kills < len(VICTIMS)
    assert len(ledger.accepted) > WRITERS * documents_each(kills)
    assert ledger.is_full()


def test_no_answer_was_wrong_on_the_way(survivor):
    _, ledger, _ = survivor
    assert ledger.faults == []


def test_exactly_what_was_accepted_is_there(survivor):
    service, ledger, _ = survivor
    assert dict(rows(service, "select id, sha256 from documents")) == ledger.expected()
    ended = dict(rows(service, "select status, count(*) from job_items group by status"))
    failures = rows(service, "select attempt, error_code, error_detail from job_items where status = 'failed'")
    assert set(ended) <= {"succeeded", "unchanged", "cancelled"}, (ended, failures)


def test_each_document_is_there_once_and_whole(survivor):
    service, ledger, _ = survivor
    marks: dict[str, list[tuple[int, int]]] = {}
    for document, text in rows(service, "select document_id, content from chunks"):
        marks.setdefault(document, []).extend(marks_in(text))
    expected = {doc: version for doc, version in ledger.accepted.items() if version is not None}
    assert {doc: sorted(found) for doc, found in marks.items()} == {
        doc: [(version, part) for part in range(parts_of(doc, version))] for doc, version in expected.items()
    }


@pytest.mark.parametrize("orphans", ["select 1 from staged_chunks", *ORPHANS])
def test_nothing_is_left_over_or_missing(survivor, orphans):
    service, _, _ = survivor
    assert rows(service, orphans) == []


def test_the_index_of_words_has_each_chunk_once(survivor):
    owner_url = survivor[0].postgres.owner_url
    assert_indexed(owner_url)
    assert rows(owner_url, "select 1 from posting_segments"), "nothing was merged in the storm"


def assert_indexed(owner_url: str) -> None:
    for (tenant,) in rows(owner_url, "select id from tenants"):
        chunks = {row[0] for row in rows(owner_url, f"select id from chunks where tenant_id = {tenant}")}
        indexed(owner_url, tenant).assert_sound(chunks)


@pytest.mark.parametrize(("mode", "each"), [("lexical", 1), ("dense", 10)])
def test_every_document_is_found(survivor, mode, each):
    service, ledger, _ = survivor
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for doc, version in list(ledger.accepted.items())[::each]:
            condition = {"key": "document_id", "op": "eq", "value": doc}
            words = content(doc, version or 0).decode()[:200]
            answer = client.post("/search", json={"input": words, "mode": mode, "filters": condition})
            found = answer.json()["contexts"]
            assert bool(found) == (version is not None)
            assert {mark[0] for context in found for mark in marks_in(context["text"])} <= {version}


def test_every_file_belongs_to_a_document_and_holds_it(survivor):
    service, _, _ = survivor

    async def swept() -> None:
        async with open_services(service.settings) as services:
            # A backup that lost its database has left a hold, which would end by itself.
            with psycopg.connect(service.postgres.owner_url) as owner:
                owner.execute("delete from removal_holds")
            await remove_noted(services)
            await sweep(services, older_than_s=0)

    asyncio.run(swept())
    assert files_of(service.settings) == dict(rows(service, "select blob, sha256 from documents"))


def files_of(settings: Settings) -> dict[str, bytes]:
    if settings.storage:
        return asyncio.run(objects_of(settings.storage))
    return {
        str(path.relative_to(settings.blobs)): hashlib.sha256(path.read_bytes()).digest()
        for path in settings.blobs.rglob("*")
        if path.is_file()
    }


async def objects_of(url: str) -> dict[str, bytes]:
    storage, found = open_object_storage(url), {}
    for path in [each.path async for each in storage.list()]:
        digest = hashlib.sha256()
        async for part in storage.read(path):
            digest.update(part)
        found[path.removeprefix("blobs/")] = digest.digest()
    return found


def test_each_backup_of_the_storm_is_one_point_in_time(survivor, scratch, models):
    service, _, _ = survivor
    names = list_backups(scratch / "storm-backups")
    assert len(names) > 1
    for name in names[-3:]:
        with restored(service, scratch / "storm-backups", name, models) as settings:
            for query in ORPHANS:
                assert rows(settings.owner_url, query) == [], (name, query)
            assert_indexed(settings.owner_url)
            assert files_of(settings) == dict(rows(settings.owner_url, NAMED))


@contextmanager
def restored(service: Service, folder: Path, name: str, models: Path) -> Iterator[Settings]:
    database = f"storm_{secrets.token_hex(4)}"
    with psycopg.connect(service.postgres.owner_url, autocommit=True) as owner:
        owner.execute(f"create database {database}")
        try:
            url = with_database(service.postgres.owner_url, database)
            home = home_with(models, folder.parent / database)
            settings = Settings(database_url=SecretStr(url), home=home, engine="none")
            with open_backup(folder, name, settings.home) as backup:
                restore(settings, backup, replace=False, tell=lambda *_: None)
            yield settings
        finally:
            owner.execute(f"drop database {database} with (force)")


def test_the_workers_go_on(survivor):
    service, _, _ = survivor
    assert all(child.alive for child in service.children.values())
    assert len(service.children) == WORKERS + 1
    with httpx.Client(base_url=service.url, timeout=90) as client:
        answer = client.post(
            "/ingest?wait=60", json={"documents": [{"id": "after", "text": "After the storm. 폭풍 뒤."}]}
        )
    assert answer.json()["status"] == "succeeded"
