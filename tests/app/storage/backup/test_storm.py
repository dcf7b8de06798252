"""A backup in the middle of writing and kill -9 is one point in time, and is all there on another machine."""

from __future__ import annotations

import asyncio
import hashlib
import io
import signal
from time import monotonic

import psycopg
import pytest

from app.adapters import activation, registry
from app.adapters.folders import adapter_of, version_folder
from app.adapters.proof import DRIFTED, PROBES, difference, proof_from, prove
from app.bootstrap import open_services
from app.settings import Settings
from app.storage.backup import make
from app.storage.tenants import tenant_by_slug
from app.up.postgres import EmbeddedPostgres
from tests.app.fake_engine import FakeEngine, fake_engines
from tests.app.storage.backup.backing import back_up, files, put_back
from tests.app.storage.backup.storming import (
    CHUNK_TOKENS,
    WORKERS,
    AtSnapshot,
    Storm,
    answers,
    rows_of_tables,
    worker_of,
)
from tests.conftest import home_with
from tests.e2e.writing import marks_in, parts_of
from tests.ingest.working import Worker

QUESTIONS_IN_ALL = 200
TENANTS = ("palace", "archive")
NAMED = """
select 'blobs/' || blob, sha256 from documents
union select 'blobs/' || blob, sha256 from job_items where blob is not null and status in ('queued', 'running')
"""


@pytest.fixture(scope="module")
def rounds(request) -> int:
    return int(request.config.getoption("--rounds"))


@pytest.fixture(scope="module")
def another(scratch, models, settings):
    """An empty machine: its own home, and a database behind another socket."""
    with EmbeddedPostgres(scratch / "another", extra_settings={"fsync": "off", "full_page_writes": "off"}) as server:
        yield Settings(
            database_url=server.owner_url, home=home_with(models, scratch / "another-home"), engine="none",
            lease_s=settings.lease_s, chunk_tokens=CHUNK_TOKENS, chunk_overlap=0,
        )  # fmt: skip


@pytest.fixture(scope="module")
async def engine():
    async with fake_engines(fake := FakeEngine()):
        yield fake


async def ready_adapters(services, engine, number) -> None:
    """Two versions with a proof each."""
    replica = engine.replica()
    for version in (1, 2):
        blob = await services.blobs.save(number, io.BytesIO(b"archive %d" % version))
        made, _ = await registry.create_version(services.database, number, "tone", blob)
        folder = version_folder(services.settings, number, made.engine_name)
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(b"%d weights" % version * 1000)
        engine.said[made.engine_name] = {f"word{version}": 0.6, "the": 0.4}
        proof = await prove(replica, adapter_of(services.settings, None, made.published(number)))
        assert proof.differs
        await registry.set_status(
            services.database, number, "tone", made.version, "ready", published=True, proof=proof.as_json()
        )
    await replica.close()


@pytest.fixture(scope="module")
async def storm(services, new_tenant, engine):
    clients = {name: await new_tenant(name) for name in TENANTS}
    for name in TENANTS:
        await ready_adapters(services, engine, (await tenant_by_slug(services.database, name)).number)
    return Storm(services, clients)


@pytest.fixture
def workers(settings):
    children = [worker_of(settings, number) for number in range(WORKERS)]
    for child in children:
        child.start()
    yield children
    for child in children:
        child.stop()


async def kill(worker) -> None:
    worker.signal(signal.SIGKILL)
    while worker.alive:
        await asyncio.sleep(0.01)
    worker.start()


async def some_taken_in(settings) -> None:
    """Until the workers are at work again."""
    query = "select count(*) from job_items where status in ('succeeded', 'unchanged')"
    with psycopg.connect(settings.owner_url, autocommit=True) as owner:
        (before,) = owner.execute(query).fetchone()
        async with asyncio.timeout(120):
            while owner.execute(query).fetchone() == (before,):
                await asyncio.sleep(0.1)


@pytest.mark.timeout(3600)
async def test_a_backup_in_a_storm_is_all_there_elsewhere(
    services, settings, storm, workers, another, engine, rounds, tmp_path, monkeypatch
):
    tenants = [(await tenant_by_slug(services.database, name)).number for name in TENANTS]
    questions = [f"책 {n % 8}-{n % 4}의 {n}번째 판, annals of part {n % 7}" for n in range(QUESTIONS_IN_ALL)]
    asked = questions[: max(10, rounds * 10)]
    loop, real, seen = asyncio.get_running_loop(), make._dump, {}

    async def look(snapshot) -> None:
        """The snapshot stands, and nothing is copied yet."""
        seen["after"] = monotonic()
        await kill(workers[1])
        database = AtSnapshot(settings.service_url, snapshot)
        await database.open()
        seen["answers"] = await answers(services, database, tenants, asked)
        await database.close()

    def dump(owner_settings, point, *others):
        asyncio.run_coroutine_threadsafe(look(point.snapshot), loop).result()
        seen["rows"] = rows_of_tables(settings.owner_url, point.snapshot)
        return real(owner_settings, point, *others)

    monkeypatch.setattr(make, "_dump", dump)
    for number in range(rounds):
        async with storm.blowing():
            await kill(workers[0])
            await some_taken_in(settings)
            seen["before"] = monotonic()
            manifest = await asyncio.to_thread(back_up, settings, tmp_path / "backups")
        assert manifest.damaged == []
        await asyncio.to_thread(put_back, another, tmp_path / "backups", replace=number > 0)
        assert rows_of_tables(another.owner_url) == seen["rows"]
        async with open_services(another) as restored:
            assert await answers(restored, restored.database, tenants, asked) == seen["answers"]
            await adapters_pass(restored, engine, tenants, settings)
            every_file_is_named(another)
            async with Worker(restored):
                await drained(another)
            await accepted_is_there(restored, storm, seen)
    assert storm.activated > 0


async def adapters_pass(restored, engine, tenants, source) -> None:
    """Each ready version has its files, loads, and says what it said when it was proved."""
    engine.adapters.clear()
    replica = engine.replica()
    for tenant in tenants:
        for version in (1, 2):
            adapter = await registry.get(restored.database, tenant, "tone", version)
            assert adapter.status == "ready"
            handle = adapter_of(restored.settings, None, adapter.published(tenant))
            its, original = (version_folder(each, tenant, adapter.engine_name) for each in (restored.settings, source))
            assert {path.name: path.read_bytes() for path in its.iterdir()} == {
                path.name: path.read_bytes() for path in original.iterdir()
            }
            now = await prove(replica, handle)
            assert engine.adapters[adapter.engine_name] == str(its)
            _, stored = await activation.proved(restored.database, adapter.engine_name)
            for probe in range(len(PROBES)):
                assert difference(now.answers[probe], proof_from(stored).answers[probe]) < DRIFTED
    await replica.close()


def every_file_is_named(settings) -> None:
    held = {path: hashlib.sha256(data).digest() for path, data in files(settings).items() if path.startswith("blobs/")}
    with psycopg.connect(settings.owner_url) as owner:
        archives = {path for (path,) in owner.execute("select 'blobs/' || blob from adapter_versions where blob <> ''")}
        assert {path: digest for path, digest in held.items() if path not in archives} == dict(
            owner.execute(NAMED).fetchall()
        )


async def drained(settings) -> None:
    with psycopg.connect(settings.owner_url, autocommit=True) as owner:
        async with asyncio.timeout(300):
            while owner.execute("select 1 from job_items where status in ('queued', 'running') limit 1").fetchone():
                await asyncio.sleep(0.1)


async def accepted_is_there(restored, storm, seen) -> None:
    """Each document that was accepted before the snapshot, once and whole, in the version that was the last then."""
    marks: dict[tuple[str, str], list[tuple[int, int]]] = {}
    with psycopg.connect(restored.settings.owner_url) as owner:
        query = "select t.slug, c.document_id, c.content from chunks c join tenants t on t.id = c.tenant_id"
        for tenant, document, text in owner.execute(query):
            marks.setdefault((tenant, document), []).extend(marks_in(text))
    for key in storm.calls:
        found = sorted(marks.pop(key, []))
        version = found[0][0] if found else None
        assert version in storm.possible(key, seen["before"], seen["after"]), key
        if version is not None:
            assert found == [(version, part) for part in range(parts_of(key[1], version))], key
    assert marks == {}
