"""What a worker shows of its work: a real queue, read over HTTP."""

from __future__ import annotations

import dataclasses

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.errors import DatabaseUnavailable, NotConfigured
from app.metrics import Metrics
from app.settings import Settings
from app.work_metrics import Queued, WorkMetrics
from ingest import metrics_server
from ingest.jobs import queue
from ingest.metrics_server import metrics_shown, sample
from tests.conftest import ingest_text
from tests.ingest.working import Worker, accept, rows, until
from tests.stack import free_port


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(each.labels.values()): each.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for each in family.samples
        if each.name == name
    }


@pytest.fixture
def counted(services):
    """The services with counts of their own."""
    metrics = Metrics()
    metrics.watch_disk(services.settings.home)
    return dataclasses.replace(services, metrics=metrics)


def test_it_is_off_unless_an_address_is_set():
    assert Settings().worker_metrics_address is None
    assert Settings(worker_metrics="[::1]:9464").worker_metrics_address == ("::1", 9464)


@pytest.mark.parametrize(
    "address", ["9464", "localhost", "http://localhost:1", "localhost:0", "a@b:1", "a:1/x", "a:99999"]
)
def test_what_is_no_address_is_refused_with_an_example(address):
    with pytest.raises(NotConfigured, match=r"KYUJANG_WORKER_METRICS is not host:port, such as 127.0.0.1:9464"):
        Settings(worker_metrics=address)


async def test_a_worker_shows_what_it_did_and_what_waits(counted, new_tenant, nothing_queued, monkeypatch):
    monkeypatch.setattr(metrics_server, "SAMPLE_S", 0.05)
    port = free_port()
    shown = dataclasses.replace(
        counted, settings=counted.settings.model_copy(update={"worker_metrics": f"127.0.0.1:{port}"})
    )
    client = await new_tenant()
    async with metrics_shown(shown), httpx.AsyncClient(trust_env=False) as http:
        async with Worker(shown):
            await ingest_text(client, "The lantern hangs by the gate.", id="lantern")
            await until(client, await accept(client, " ", id="blank"), "failed")
        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    for line in (
        'kyujang_attempts_total{kind="ingest",outcome="done"} 1.0',
        'kyujang_attempts_total{kind="ingest",outcome="refused"} 1.0',
        'kyujang_refused_items_total{kind="ingest",reason="empty"} 1.0',
        'kyujang_ingest_stage_seconds_count{stage="store"} 1.0',
        'kyujang_work_items{kind="ingest"} 0.0',
        'kyujang_leases_lost_total{kind="ingest"} 0.0',
    ):
        assert line in text.splitlines()
    assert "kyujang_home_free_bytes" in text


async def test_two_workers_do_not_share_an_address(counted):
    port = free_port()
    settings = counted.settings.model_copy(update={"worker_metrics": f"127.0.0.1:{port}"})
    shown = dataclasses.replace(counted, settings=settings)
    async with metrics_shown(shown):
        with pytest.raises(NotConfigured, match=rf"127.0.0.1:{port} cannot be listened at .*port of its own"):
            async with metrics_shown(shown):
                pass
    async with metrics_shown(shown):
        pass


async def test_depth_and_age_of_the_queue_by_tenant(counted, new_tenant, nothing_queued, owner_url):
    client = await new_tenant()
    await accept(client, "One.", id="one")
    await accept(client, "Two.", id="two")
    claimed = await queue.claim(counted.database, "worker", "ingest", lease_s=60)
    counted.metrics.work.serve(["ingest"])
    await sample(counted)
    ((_, slug),) = rows(
        owner_url,
        "select count(*), min(slug) from tenants t join job_items i on i.tenant_id = t.id where i.status = 'queued'",
    )
    items = values(counted.metrics, "kyujang_queue_items")
    assert {key: value for key, value in items.items() if value} == {
        ("ingest", "waiting", slug): 1,
        ("ingest", "running", slug): 1,
    }
    assert 0 < values(counted.metrics, "kyujang_queue_oldest_seconds")[("ingest",)] < 60
    await queue.requeue(counted.database, claimed, delay_s=60)
    await sample(counted)
    assert values(counted.metrics, "kyujang_queue_items")["ingest", "delayed", slug] == 1


async def test_what_a_dead_worker_had_counts_as_a_lost_lease(counted, new_tenant, nothing_queued):
    client = await new_tenant()
    job = await accept(client, "Taken over.", id="over")
    dead = await queue.claim(counted.database, "dead", "ingest", lease_s=0.01)
    assert dead is not None
    assert not dead.taken_over
    async with Worker(counted):
        await until(client, job, "succeeded")
    assert values(counted.metrics, "kyujang_leases_lost_total")[("ingest",)] == 1


async def test_without_a_database_nothing_old_is_shown(counted, monkeypatch):
    counted.metrics.work.show_queue([Queued("ingest", "acme", 1, 0, 0, 5.0)], tenants=1)

    async def unreachable(_database):
        raise DatabaseUnavailable

    monkeypatch.setattr(metrics_server, "queue_depth", unreachable)
    await sample(counted)
    assert values(counted.metrics, "kyujang_queue_items") == {}
    assert values(counted.metrics, "kyujang_queue_oldest_seconds") == {}


def test_only_the_largest_tenants_are_named():
    metrics = Metrics()
    many = [Queued("ingest", f"t{number}", number, 0, 0, float(number)) for number in range(1, 1001)]
    metrics.work.show_queue(many, tenants=3)
    items = values(metrics, "kyujang_queue_items")
    named = {tenant for _, _, tenant in items}
    assert named == {"t1000", "t999", "t998", "other"}
    assert sum(items.values()) == sum(range(1, 1001))
    assert values(metrics, "kyujang_queue_oldest_seconds") == {("ingest",): 1000}


def test_how_long_the_oldest_is_in_hand():
    metrics = Metrics()
    work: WorkMetrics = metrics.work
    work.serve(["ingest", "tune"])
    with work.in_hand("ingest"), work.in_hand("ingest"):
        assert values(metrics, "kyujang_work_items") == {("ingest",): 2, ("tune",): 0}
        assert values(metrics, "kyujang_work_oldest_seconds")[("ingest",)] > 0
    assert values(metrics, "kyujang_work_oldest_seconds") == {("ingest",): 0, ("tune",): 0}
