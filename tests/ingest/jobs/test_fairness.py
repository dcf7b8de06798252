"""Whose document a worker takes next, and how many at once."""

from __future__ import annotations

import asyncio
import dataclasses
import threading

import pytest

from app.errors import DatabaseUnavailable
from ingest.jobs import queue
from ingest.jobs.queue import TurnOver
from ingest.jobs.retry import handle_failure
from ingest.pipeline import BATCH_CHUNKS, ingest
from tests.conftest import NewTenant, with_encoder
from tests.ingest.working import LONG, SlowEncoder, Worker, accept, until

pytestmark = pytest.mark.usefixtures("nothing_queued")


async def test_one_tenants_many_files_do_not_delay_anothers_one(new_tenant: NewTenant, services):
    many, one = await new_tenant(), await new_tenant()
    texts = [{"text": f"File {n}."} for n in range(200)]
    await many.post("/ingest", json={"documents": texts})
    await many.post("/ingest", json={"documents": texts})
    await accept(one, "The only one.")
    claimed = [await queue.claim(services.database, "worker", "ingest", lease_s=60) for _ in range(4)]
    sizes = [work.size for work in claimed]
    assert sizes.count(len("The only one.")) == 1
    assert sizes.index(len("The only one.")) < 2
    assert [work.item_number for work in claimed if work.size < 10] == [0, 1, 2]


async def test_tenants_take_turns(new_tenant: NewTenant, services):
    clients = [await new_tenant() for _ in range(3)]
    for client in clients:
        await client.post("/ingest", json={"documents": [{"text": f"{n}"} for n in range(4)]})
    order = [(await queue.claim(services.database, "worker", "ingest", lease_s=60)).tenant for _ in range(12)]
    rounds = [set(order[first : first + 3]) for first in range(0, 12, 3)]
    assert all(len(each) == 3 for each in rounds)


async def test_a_tenant_whose_documents_must_wait_is_passed_over(new_tenant: NewTenant, services):
    waiting, ready = await new_tenant(), await new_tenant()
    await accept(waiting, "Old.", id="same")
    first = await queue.claim(services.database, "worker", "ingest", lease_s=60)
    await queue.requeue(services.database, first, delay_s=60)
    await accept(waiting, "New.", id="same")
    await accept(ready, "Now.")
    work = await queue.claim(services.database, "worker", "ingest", lease_s=60)
    assert work.tenant != first.tenant
    assert await queue.claim(services.database, "worker", "ingest", lease_s=60) is None


async def test_several_workers_claim_each_document_once(new_tenant: NewTenant, services):
    clients = [await new_tenant() for _ in range(3)]
    for client in clients:
        await client.post("/ingest", json={"documents": [{"text": f"{n}"} for n in range(20)]})

    async def claim_all(name: str) -> list[tuple[str, int]]:
        found = []
        while (work := await queue.claim(services.database, name, "ingest", lease_s=60)) is not None:
            found.append((work.job_id, work.item_number))
        return found

    claimed = [key for keys in await asyncio.gather(*(claim_all(f"w{n}") for n in range(6))) for key in keys]
    assert len(claimed) == len(set(claimed)) == 60


async def test_the_last_lane_is_left_to_others(new_tenant: NewTenant, services):
    for client in (await new_tenant(), await new_tenant()):
        for number in range(2):
            await accept(client, f"Sentence {number}.")

    async def claim(*without):
        claimed = await queue.claim(services.database, "worker", "ingest", lease_s=60, without=without)
        return claimed and claimed.tenant

    greedy, other = await claim(), await claim()
    assert greedy != other
    assert await claim(greedy) == other, "it would be the first one's turn"
    assert await claim(greedy) is None, "no other waits, and one may come"
    assert await claim() == greedy


@pytest.mark.parametrize("lanes", [1, 2])
async def test_large_documents_leave_a_lane_to_small_ones(new_tenant: NewTenant, services, lanes):
    """They hold theirs until another tenant's small one, accepted later, is done."""
    large, small, done = await new_tenant(), await new_tenant(), threading.Event()

    class Patient(SlowEncoder):
        def count_tokens(self, texts):
            if any("Large" in text for text in texts):
                done.wait(30)
            return super().count_tokens(texts)

    settings = services.settings.model_copy(update={"documents_at_once": lanes})
    held = dataclasses.replace(with_encoder(services, Patient(0)), settings=settings)
    for number in range(lanes + 1):
        await accept(large, f"Large {number}. " + " " * queue.SMALL_BYTES + "End.")
    async with Worker(held):
        async with asyncio.timeout(30):
            while (await large.get("/jobs?status=running")).json()["data"] == []:
                await asyncio.sleep(0.05)
        job = await accept(small, "Small.")
        try:
            await until(small, job, "succeeded", timeout=20)
            running = (await large.get("/jobs?status=running")).json()["data"]
        finally:
            done.set()
    assert len(running) <= lanes


async def test_a_long_document_goes_on_when_its_turn_comes_again(new_tenant: NewTenant, services, monkeypatch):
    long, other = await new_tenant(), await new_tenant()
    job = await accept(long, LONG, id="annals")
    settings = services.settings.model_copy(update={"chunk_tokens": 16, "chunk_overlap": 0})
    encoder = SlowEncoder(0)
    ours = dataclasses.replace(with_encoder(services, encoder), settings=settings)
    monkeypatch.setattr("ingest.pipeline.TURN_S", 0)

    async def claim():
        return await queue.claim(services.database, "worker", "ingest", lease_s=60)

    work = await claim()
    await accept(other, "Now.", id="now")
    with pytest.raises(TurnOver) as over:
        await ingest(ours, work)
    await handle_failure(ours, work, over.value)
    assert encoder.calls == 1
    assert (await long.get(f"/jobs/{job}")).json()["documents"][0]["chunks_done"] == BATCH_CHUNKS
    await ingest(ours, between := await claim())
    assert between.document_id == "now"
    again = await claim()
    assert (again.document_id, again.attempt) == ("annals", 1)
    await ingest(ours, again)
    ended = (await long.get(f"/jobs/{job}")).json()["documents"][0]
    assert ended["status"] == "succeeded"
    # One call was for the other's document.
    assert encoder.calls == -(-ended["chunks"] // BATCH_CHUNKS) + 1


class Gate(SlowEncoder):
    """Lets nothing through until two documents are in the worker."""

    def __init__(self) -> None:
        super().__init__(0)
        self.tokenized = threading.Event()
        self.texts: set[str] = set()

    def count_tokens(self, texts):
        self.texts.update(text for text in texts if text.startswith("Document"))
        if len(self.texts) >= 2:
            self.tokenized.set()
        return super().count_tokens(texts)

    def encode(self, texts, kind):
        assert self.tokenized.wait(30), "the second document was not read while the first was embedded"
        return super().encode(texts, kind)


async def test_a_document_is_read_while_another_is_embedded(new_tenant: NewTenant, services):
    client = await new_tenant()
    ids = [await accept(client, f"Document {n} waits for its turn.") for n in range(2)]
    async with Worker(with_encoder(services, Gate())):
        for job in ids:
            await until(client, job, "succeeded")


async def test_a_restart_of_the_database_costs_no_attempt(new_tenant: NewTenant, services, owner_url, monkeypatch):
    """It goes away while a document is embedded, more often than attempts are allowed."""
    client = await new_tenant()
    job = await accept(client, "Patience.", id="patient")
    slow = SlowEncoder(0)
    faults = queue.MAX_ATTEMPTS + 2
    encode = slow.encode

    def failing(texts, kind):
        if slow.calls < faults:
            slow.calls += 1
            raise DatabaseUnavailable("gone for a moment")
        return encode(texts, kind)

    monkeypatch.setattr(slow, "encode", failing)
    async with Worker(with_encoder(services, slow)):
        ended = await until(client, job, "succeeded", "failed")
    assert ended["status"] == "succeeded"
    assert slow.calls > faults
