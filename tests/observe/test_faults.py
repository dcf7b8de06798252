"""Each alert fires at a fault that is brought about, and goes away with it, in a real Prometheus where time is cut."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx
import pytest

from app.adapters.proof import Proof
from app.adapters.reconciler import AdapterReconciler
from app.adapters.version import Published
from app.api.middleware import RequestContext
from app.metrics import Metrics
from app.settings import Settings
from ingest import metrics_server, worker
from ingest.jobs import queue
from ingest.metrics_server import metrics_shown
from ingest.worker import Handler
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines
from tests.ingest.working import Worker, accept, until
from tests.observe.prometheus import needs_prometheus, watching
from tests.stack import free_port

FACTOR = 600
ACTIVE = "t1--a--v1"

pytestmark = [needs_prometheus, pytest.mark.usefixtures("alerts_wanted", "nothing_queued")]


@pytest.fixture
def alerts_wanted(request):
    if not request.config.getoption("--alerts"):
        pytest.skip("--alerts brings the faults about")


@pytest.fixture
async def watched(services, monkeypatch):
    """A worker's metrics and a Prometheus that reads them; yields both and the services that count."""
    monkeypatch.setattr(metrics_server, "SAMPLE_S", 0.1)
    port, metrics = free_port(), Metrics()
    settings = services.settings.model_copy(update={"worker_metrics": f"127.0.0.1:{port}"})
    counted = dataclasses.replace(services, metrics=metrics, settings=settings)
    metrics.work.serve(["ingest"])

    @asynccontextmanager
    async def shown():
        async with (
            metrics_shown(counted),
            watching(f"127.0.0.1:{port}", factor=FACTOR) as prometheus,
        ):
            while not await prometheus.query("count_over_time(up[1m]) > 5"):
                await asyncio.sleep(0.1)
            assert await prometheus.firing() == set()
            yield counted, prometheus

    return shown


async def seen(prometheus, name: str, undo) -> None:
    fired = await prometheus.until(name, fires=True)
    await undo()
    gone = await prometheus.until(name, fires=False)
    sys.stderr.write(f"{name}: fired {fired:.1f} s after the fault, gone {gone:.1f} s after it was mended\n")


async def test_backlog(watched, new_tenant):
    client = await new_tenant()
    async with watched() as (services, prometheus):
        job = await accept(client, "It waits.", id="waits")

        async def work():
            async with Worker(services):
                await until(client, job, "succeeded")

        await seen(prometheus, "KyujangQueueBacklog", work)


async def test_stuck_file(watched, new_tenant, monkeypatch):
    client, let_go = await new_tenant(), asyncio.Event()

    async def hang(_services, _claim):
        await let_go.wait()

    monkeypatch.setitem(worker.HANDLERS, "ingest", Handler(hang, "documents"))
    async with watched() as (services, prometheus), Worker(services):
        await accept(client, "It hangs.", id="hangs")

        async def mend():
            monkeypatch.undo()
            let_go.set()

        await seen(prometheus, "KyujangFileStuck", mend)


async def test_lost_lease(watched, new_tenant):
    client = await new_tenant()
    async with watched() as (services, prometheus):
        job = await accept(client, "Its worker dies.", id="dies")
        assert await queue.claim(services.database, "dead", "ingest", lease_s=0.01)
        async with Worker(services):

            async def ingested():
                await until(client, job, "succeeded")

            await seen(prometheus, "KyujangLeaseLost", ingested)


@pytest.fixture
def disk(tmp_path):
    """A disk of 4 MB."""
    options = ["-t", "tmpfs", "-o", "size=4m", "none", str(tmp_path)]
    if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


async def test_full_disk(watched, disk):
    async with watched() as (services, prometheus):
        services.metrics.watch_disk(disk)
        await asyncio.sleep(1)
        assert await prometheus.firing() == set()
        (disk / "file").write_bytes(b"x" * (3900 << 10))

        async def remove():
            (disk / "file").unlink()

        await seen(prometheus, "KyujangDiskFull", remove)


async def test_dead_engine(watched):
    async with watched() as (services, prometheus):
        fake = FakeEngine()
        async with fake_engines(fake):
            engine = engine_of(fake.replica(), metrics=services.metrics)
            await engine.ready()
            await fake.kill()
            watch = asyncio.create_task(engine.watch())

            async def again():
                await fake.start()

            await seen(prometheus, "KyujangEngineDown", again)
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await engine.close()


async def test_drifted_adapter(watched, monkeypatch):
    proof, say = Proof(0.9, [[{"yes": 0.0}]] * 2), {"yes": 1.0}

    async def answer(value):
        return value

    monkeypatch.setattr("app.adapters.activation.desired", lambda _: answer([Published(1, ACTIVE, None)]))
    monkeypatch.setattr("app.adapters.activation.of_use", lambda _, names: answer(set(names)))
    monkeypatch.setattr(
        "app.adapters.activation.proved", lambda _, name: answer((Published(1, name, None), proof.as_json()))
    )
    fake = FakeEngine(said={ACTIVE: say})
    async with watched() as (services, prometheus), fake_engines(fake):
        engine = engine_of(fake.replica(metrics=services.metrics), metrics=services.metrics)
        settings = Settings(home="/home", adapters_at="/seen")
        reconciling = AdapterReconciler(settings, None, None, engine, services.metrics)
        await reconciling.once()
        await asyncio.sleep(1)
        fake.said[ACTIVE] = {"no": 1.0}
        await reconciling.once()

        async def again():
            fake.said[ACTIVE] = {"yes": 1.0}
            await reconciling.once()

        await seen(prometheus, "KyujangAdapterDrifted", again)
        await engine.close()


async def test_errors(watched):
    async def broken(_scope, _receive, _send):
        raise RuntimeError

    async def sound(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with watched() as (services, prometheus):
        apps = [sound]

        async def asked():
            while True:
                transport = httpx.ASGITransport(RequestContext(apps[0], services.metrics), raise_app_exceptions=False)
                async with httpx.AsyncClient(transport=transport, base_url="http://kyujang") as client:
                    await client.get("/")
                await asyncio.sleep(0.05)

        asking = asyncio.create_task(asked())
        await asyncio.sleep(1)
        assert await prometheus.firing() == set()
        apps[0] = broken

        async def mend():
            apps[0] = sound

        await seen(prometheus, "KyujangErrors", mend)
        asking.cancel()


async def test_a_worker_that_is_gone(services):
    port = free_port()
    settings = services.settings.model_copy(update={"worker_metrics": f"127.0.0.1:{port}"})
    counted = dataclasses.replace(services, settings=settings, metrics=Metrics())
    async with watching(f"127.0.0.1:{port}", factor=FACTOR) as prometheus:
        fired = await prometheus.until("KyujangDown", fires=True)
        async with metrics_shown(counted):
            gone = await prometheus.until("KyujangDown", fires=False)
        sys.stderr.write(f"KyujangDown: fired {fired:.1f} s after the fault, gone {gone:.1f} s after it was mended\n")
