"""The last two steps of an adapter's way, with engines that do not take it, or say nothing new with it."""

from __future__ import annotations

import dataclasses
import io

import pytest

from app.adapters import registry
from app.adapters.version import AdapterVersion
from ingest.adapters import check_task
from ingest.jobs import queue
from ingest.jobs.queue import TaskFailed
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines
from tests.ingest.adapters.made import files, tar_gz, tensors

pytestmark = pytest.mark.usefixtures("base")
BASE = {"yes": 0.9, "no": 0.1}


@pytest.fixture
async def number(new_number) -> int:
    return await new_number()


async def checked(services, number, *fakes: FakeEngine) -> AdapterVersion:
    """What has become of a good archive."""
    blob = await services.blobs.save(number, io.BytesIO(tar_gz(files(tensors(layers=range(2))))))
    sent, _ = await registry.create_version(services.database, number, "tone", blob)
    for fake in fakes:
        fake.said = {"smollm2": BASE, sent.engine_name: fake.said.get("adapter", BASE)}
    async with fake_engines(*fakes):
        engine = engine_of(*(fake.replica() for fake in fakes))
        task = await queue.claim(services.database, "w", "check", lease_s=60)
        try:
            await check_task.check_adapter(dataclasses.replace(services, engine=engine), task)
        except TaskFailed as error:
            await check_task.fail_adapter(services, task, error.detail)
            await queue.fail(services.database, task, error.item_code, error.detail)
        await engine.close()
    return await registry.get(services.database, number, "tone")


def different(**options) -> FakeEngine:
    return FakeEngine(said={"adapter": {"no": 0.8, "yes": 0.2}}, **options)


async def test_ready_means_loaded_into_every_engine_and_heard_there(services, number):
    fakes = [different(), different()]
    found = await checked(services, number, *fakes)
    assert found.status == "ready"
    assert [check.name for check in found.checks][-2:] == ["loaded", "differs"]
    assert all(list(fake.adapters) == [found.engine_name] for fake in fakes)
    assert found.proof["difference"] == pytest.approx(0.7)


async def test_a_token_that_no_text_holds_may_be_among_the_likeliest(services, number):
    found = await checked(services, number, FakeEngine(said={"adapter": {"no": 0.8, "\0": 0.1, "\ud83d": 0.1}}))
    assert (found.status, found.error_detail) == ("ready", None)
    assert found.proof["answers"][0][0].keys() == {"no", "\ufffd", "?"}


async def test_what_changes_nothing_in_one_of_them_is_rejected_and_unloaded(services, number):
    fakes = [different(), FakeEngine()]
    found = await checked(services, number, *fakes)
    assert (found.status, found.checks[-1].name, found.checks[-1].ok) == ("rejected", "differs", False)
    assert [fake.adapters for fake in fakes] == [{}, {}]


async def test_what_an_engine_does_not_load_is_rejected(services, number):
    found = await checked(services, number, different(load_status=500))
    assert (found.status, found.checks[-1].name) == ("rejected", "loaded")
    assert "Worker failed" in found.checks[-1].detail


async def test_an_engine_that_takes_no_adapters_is_the_operator_s_fault(services, number):
    found = await checked(services, number, different(load_status=404))
    assert found.status == "failed"
    assert "--enable-lora" in found.error_detail
