"""What happens reaches the webhooks of its tenant: whole, signed, once, and nobody else's."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import psycopg
import pytest
import standardwebhooks

from app import webhooks as delivering
from app.errors import InvalidInput
from app.metrics import Metrics
from app.settings.addresses import webhook_hosts
from app.storage import cancellation, job_creation, jobs, limits, webhook_outbox
from app.storage.database import Database
from app.storage.tenants import tenant_by_slug
from app.webhooks import WebhookDelivery, webhook_url
from ingest.cleanup import sweep_deliveries
from ingest.jobs import queue
from tests.conftest import ADMIN_KEY
from tests.receiver import receiving

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
SCOPES = ("query", "read", "ingest", "adapters")


@pytest.fixture
def local(services):
    """Webhooks may go to this machine."""
    own = {"webhook_hosts": "http://127.0.0.1", "webhook_networks": "127.0.0.0/8"}
    return dataclasses.replace(services, settings=services.settings.model_copy(update=own))


@pytest.fixture
def delivery(local):
    return WebhookDelivery(local.settings, local.database, local.metrics)


@pytest.fixture(autouse=True)
def nothing_left(owner_url):
    yield
    with psycopg.connect(owner_url) as owner:
        owner.execute("delete from webhook_deliveries")
        owner.execute("delete from webhook_lease")


@pytest.fixture
async def hooked(new_tenant, anonymous, local):
    """A tenant that can make webhooks of this machine."""
    app = anonymous._transport.app
    before, app.state.services = app.state.services, local
    name = f"hooked-{datetime.now(UTC).timestamp():.6f}".replace(".", "-")
    client = await new_tenant(name, SCOPES)
    yield SimpleNamespace(
        client=client, slug=name, number=(await tenant_by_slug(local.database, name)).number, database=local.database
    )
    app.state.services = before


async def hook(hooked, receiver, *events: str, path: str = "") -> dict:
    body = {"url": f"http://127.0.0.1:{receiver.port}/{path}"} | ({"events": list(events)} if events else {})
    made = await hooked.client.post("/webhooks", json=body)
    assert made.status_code == 201, made.text
    return made.json()


async def job_of(hooked, *names: str) -> str:
    uploads = [jobs.Upload(name, f"{hooked.number}/{name}", 1, name.encode(), None) for name in names]
    job, _ = await job_creation.create_job(hooked.database, hooked.number, uploads)
    return job.id


async def claimed(hooked):
    item = await queue.claim(hooked.database, "worker", "ingest", lease_s=60)
    assert item is not None
    assert item.tenant == hooked.number
    return item


def told(receiver) -> list[tuple[str, dict]]:
    bodies = [json.loads(each.body) for each in receiver.got]
    return [(body["type"], body["data"]) for body in bodies]


def waiting(owner_url, hooked) -> list[tuple[str, str]]:
    with psycopg.connect(owner_url) as owner:
        query = "select event, subject from webhook_deliveries where tenant_id = %s order by seq"
        return owner.execute(query, [hooked.number]).fetchall()


def make_due(owner_url, hours: int = 0) -> None:
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "update webhook_deliveries set next_at = now(), created_at = created_at - make_interval(hours => %s)",
            [hours],
        )


async def test_an_ended_job_and_a_failed_document_are_told(hooked, delivery):
    async with receiving() as receiver:
        made = await hook(hooked, receiver)
        job = await job_of(hooked, "good", "bad")
        await queue.finish(hooked.database, await claimed(hooked))
        await delivery.turn()
        assert told(receiver) == []
        await queue.fail(hooked.database, await claimed(hooked), "corrupt", "It is damaged.")
        await delivery.turn()
        await delivery.turn()
    counts = {"total": 2, "succeeded": 1, "unchanged": 0, "failed": 1, "cancelled": 0}
    # They are sent at the same time.
    assert sorted(told(receiver)) == [
        ("document.failed", {"job": job, "document": "bad", "code": "corrupt"}),
        ("job.ended", {"job": job, "kind": "ingest", "status": "partial", "counts": counts}),
    ]
    for each in receiver.got:
        read = standardwebhooks.Webhook(made["secret"]).verify(each.body, each.headers)
        assert datetime.fromisoformat(read["timestamp"]) <= datetime.now(UTC)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_AAAA").verify(receiver.got[0].body, receiver.got[0].headers)


async def test_the_two_last_items_that_end_at_once_end_the_job_once(hooked, owner_url):
    async with receiving() as receiver:
        await hook(hooked, receiver, "job.ended")
        for _ in range(5):
            await job_of(hooked, *"abcd")
            items = [await claimed(hooked) for _ in range(4)]
            await asyncio.gather(*(queue.finish(hooked.database, item) for item in items))
    assert len(waiting(owner_url, hooked)) == 5


async def test_what_is_rolled_back_is_not_told_and_a_cancelled_job_is(hooked, owner_url):
    async with receiving() as receiver:
        await hook(hooked, receiver, "job.ended")
        job = await job_of(hooked, "one", "two")

        async def break_off() -> None:
            async with hooked.database.transaction(hooked.number) as connection:
                await cancellation.cancel_items(connection, hooked.number, "job_id = %(job)s", {"job": job})
                raise ConnectionError

        with pytest.raises(ConnectionError):
            await break_off()
        assert waiting(owner_url, hooked) == []
        await cancellation.cancel_job(hooked.database, hooked.number, job)
        assert waiting(owner_url, hooked) == [("job.ended", job)]


async def test_a_job_without_documents_has_ended_and_a_check_is_no_job(hooked, owner_url):
    async with receiving() as receiver:
        await hook(hooked, receiver, "job.ended")
        rechunk = await hooked.client.post("/documents/rechunk", json={})
        async with hooked.database.transaction(hooked.number) as connection:
            check = job_creation.new_id()
            await job_creation.insert_job(connection, hooked.number, check, jobs.Task("check", "tone", 1))
        async with hooked.database.transaction(hooked.number) as connection:
            assert await cancellation.cancel_items(connection, hooked.number, "job_id = %(job)s", {"job": check}) == 1
        assert waiting(owner_url, hooked) == [("job.ended", rechunk.json()["id"])]


async def test_each_webhook_is_told_what_it_asks_for_and_no_other_tenant_s(hooked, new_tenant, delivery):
    async with receiving() as receiver, receiving() as other:
        await hook(hooked, receiver, "document.failed")
        stranger = await new_tenant(None, SCOPES)
        await stranger.post("/webhooks", json={"url": f"http://127.0.0.1:{other.port}/"})
        await job_of(hooked, "bad")
        await queue.fail(hooked.database, await claimed(hooked), "corrupt", "It is damaged.")
        await delivery.turn()
    assert [event for event, _ in told(receiver)] == ["document.failed"]
    assert other.got == []


async def test_a_limit_is_told_once_an_hour(hooked, anonymous, delivery):
    async with receiving() as receiver:
        await hook(hooked, receiver, "limit.reached")
        await limits.set_limits(hooked.database, hooked.slug, {"jobs_waiting": 0})
        document = {"documents": [{"text": "x"}]}
        refused = [(await hooked.client.post("/ingest", json=document)).status_code for _ in range(3)]
        anonymous._transport.app.state.limit_events._noted.clear()
        await hooked.client.post("/ingest", json=document)
        await delivery.turn()
    assert refused == [429] * 3
    assert told(receiver) == [("limit.reached", {"limit": "jobs_waiting", "of": "tenant", "value": 0})]


async def test_a_webhook_that_fails_is_tried_again_and_given_up_in_the_end(hooked, delivery, owner_url):
    async with receiving(500, 302, 404) as receiver:
        made = await hook(hooked, receiver, "job.ended")
        receiver.location = f"http://127.0.0.1:{receiver.port}/elsewhere"
        await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "one"))
        for number, (status, hours) in enumerate([(500, 0), (302, 0), (404, 25)], start=1):
            make_due(owner_url, hours)
            await delivery.turn()
            # It is not due again at once.
            await delivery.turn()
            found = (await hooked.client.get(f"/webhooks/{made['id']}/deliveries")).json()["data"][0]
            assert (found["attempts"], found["last_status"]) == (number, status)
        assert (found["status"], found["next_at"]) == ("given_up", None)
        make_due(owner_url)
        await delivery.turn()
    assert [each.path for each in receiver.got] == ["/"] * 3
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1
    shown = (await hooked.client.get("/webhooks")).json()["data"][0]
    assert shown["deliveries"]["given_up"] == 1
    assert shown["deliveries"]["last"]["last_status"] == 404
    assert "secret" not in shown


async def test_a_gone_address_is_given_up_at_once(hooked, delivery):
    async with receiving(410) as receiver:
        await hook(hooked, receiver, "job.ended")
        await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "one"))
        await delivery.turn()
    assert (await hooked.client.get("/webhooks")).json()["data"][0]["deliveries"]["given_up"] == 1


async def test_no_private_address_and_no_host_that_is_not_allowed_any_more_is_called(hooked, local):
    async with receiving() as receiver:
        made = await hook(hooked, receiver, "job.ended")
        for change, reason in (
            ({"webhook_networks": ""}, "private"),
            ({"webhook_hosts": "hooks.example"}, "does not let"),
        ):
            await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "one"))
            settings = local.settings.model_copy(update=change)
            narrower = WebhookDelivery(settings, local.database, Metrics())
            narrower._name = "the same"
            await narrower.turn()
            last = (await hooked.client.get(f"/webhooks/{made['id']}/deliveries")).json()["data"][0]
            assert last["last_status"] is None
            assert reason in last["last_error"]
    assert receiver.got == []


async def test_one_process_delivers_and_another_takes_over_after_its_lease(hooked, delivery, local, owner_url):
    other = WebhookDelivery(local.settings, local.database, Metrics())
    async with receiving() as receiver:
        await hook(hooked, receiver, "job.ended")
        assert await delivery.turn() == delivering.EVERY_S
        await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "one"))
        assert await other.turn() == delivering.ASK_EVERY_S
        assert receiver.got == []
        with psycopg.connect(owner_url) as owner:
            owner.execute("update webhook_lease set until = now() - interval '1 second'")
        await other.turn()
        assert len(receiver.got) == 1
        assert await delivery.turn() == delivering.ASK_EVERY_S


async def test_what_was_sent_and_not_noted_is_sent_once_more_with_the_same_id(hooked, delivery, monkeypatch):
    async def die(*_, **__):
        raise ConnectionError

    async with receiving() as receiver:
        await hook(hooked, receiver, "job.ended")
        await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "one"))
        with monkeypatch.context() as patch:
            patch.setattr(webhook_outbox, "settle", die)
            with pytest.raises(ConnectionError):
                await delivery.turn()
        await delivery.turn()
        await delivery.turn()
    assert len(receiver.got) == 2
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1


async def test_a_slow_receiver_holds_up_no_other_tenant_for_long(hooked, new_tenant, local, monkeypatch):
    monkeypatch.setattr(delivering, "TIMEOUT_S", 0.2)
    slug = f"{hooked.slug}-2"
    second = SimpleNamespace(client=await new_tenant(slug, SCOPES), database=local.database)
    second.number = (await tenant_by_slug(local.database, slug)).number
    delivery = WebhookDelivery(local.settings, local.database, Metrics())
    async with receiving() as slow, receiving() as quick:
        slow.gate.clear()
        await hook(hooked, slow, "job.ended")
        await hook(second, quick, "job.ended")
        for number in range(delivering.PER_TENANT + 3):
            await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, f"{number}"))
        await cancellation.cancel_job(second.database, second.number, await job_of(second, "one"))
        await delivery.turn()
        assert len(quick.got) == 1
        assert len(slow.got) == delivering.PER_TENANT


async def test_what_was_told_long_ago_and_what_has_lost_its_webhook_is_removed(hooked, delivery, local, owner_url):
    async with receiving() as receiver:
        made = await hook(hooked, receiver, "job.ended")
        await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "one"))
        make_due(owner_url, hours=7 * 24 + 1)
        await sweep_deliveries(local)
        assert waiting(owner_url, hooked) == []
        await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "two"))
        with psycopg.connect(owner_url) as owner:
            owner.execute("delete from webhooks where id = %s", [made["id"]])
        await delivery.turn()
        assert waiting(owner_url, hooked) == []
    assert receiver.got == []


async def test_deliveries_are_counted(hooked, delivery, local, anonymous):
    async with receiving(500) as receiver:
        await hook(hooked, receiver, "job.ended")
        await cancellation.cancel_job(hooked.database, hooked.number, await job_of(hooked, "one"))
        await delivery.turn()
    metrics = (await anonymous.get("/metrics", headers=OPERATOR)).text
    assert 'kyujang_webhook_deliveries_total{outcome="failed"}' in metrics
    assert "kyujang_webhook_deliveries_waiting 1.0" in metrics


async def test_without_the_database_it_waits(local):
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    task = asyncio.create_task(WebhookDelivery(local.settings, nowhere, Metrics()).run())
    await asyncio.sleep(0.2)
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        ("hooks.example", "https://hooks.example/a?b=c"),
        ("hooks.example", "https://HOOKS.example:8443/"),
        ("*.example", "https://a.b.example/"),
        ("*", "https://anything.example/"),
        ("http://hooks.example", "http://hooks.example/"),
        ("a.example, http://10.1.2.3", "http://10.1.2.3:8080/"),
    ],
)
def test_an_address_that_the_operator_allows(hosts, url):
    assert webhook_url(url, webhook_hosts(hosts)) == url.lower()


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        ("hooks.example", "http://hooks.example/"),
        ("hooks.example", "https://other.example/"),
        ("hooks.example", "https://hooks.example.evil.example/"),
        ("hooks.example", "https://evil.example\\@hooks.example/"),
        ("hooks.example", "https://user:word@hooks.example/"),
        ("hooks.example", "https://hooks.example/#x"),
        ("*.example", "https://example/"),
        ("*.example", "https://badexample/"),
        ("*", "http://anything.example/"),
        ("*", "ftp://anything.example/"),
        ("*", "https:///path"),
        ("*", "/path"),
        ("*", "https://a b/"),
    ],
)
def test_an_address_that_is_refused(hosts, url):
    with pytest.raises(InvalidInput):
        webhook_url(url, webhook_hosts(hosts))
