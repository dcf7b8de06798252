"""Webhooks as a tenant makes, sees and deletes them."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from app.__main__ import main
from app.main import create_app
from app.storage.webhooks import EVENTS, MAX_WEBHOOKS
from tests.conftest import ADMIN_KEY, ingest_text

URL = "https://hooks.example/in"


async def test_the_life_of_a_webhook(new_tenant):
    client = await new_tenant()
    made = (await client.post("/webhooks", json={"url": URL, "events": ["job.ended"]})).json()
    assert made["secret"].startswith("whsec_")
    listed = (await client.get("/webhooks")).json()["data"]
    assert listed == [
        {
            **{name: made[name] for name in ("id", "url", "events", "created_at")},
            "deliveries": {"waiting": 0, "delivered": 0, "given_up": 0, "last": None},
        }
    ]
    assert (await client.get(f"/webhooks/{made['id']}/deliveries")).json()["data"] == []
    assert (await client.delete(f"/webhooks/{made['id']}")).status_code == 204
    assert (await client.delete(f"/webhooks/{made['id']}")).status_code == 404
    assert (await client.get(f"/webhooks/{made['id']}/deliveries")).status_code == 404
    trail = (await client.get("/audit", params={"object": made["id"]})).json()["data"]
    assert [(each["act"], each["kind"]) for each in trail] == [("delete", "webhook"), ("create", "webhook")]
    assert trail[1]["after"] == {"host": "hooks.example", "events": ["job.ended"]}
    assert made["secret"] not in str(trail)


@pytest.mark.usefixtures("worker")
async def test_it_is_told_of_what_a_worker_does(new_tenant):
    client = await new_tenant()
    made = (await client.post("/webhooks", json={"url": URL})).json()
    assert made["events"] == list(EVENTS)
    job = await ingest_text(client, "The gate closes at nine.")
    found = (await client.get(f"/webhooks/{made['id']}/deliveries")).json()["data"]
    assert [(each["event"], each["status"], each["attempts"]) for each in found] == [("job.ended", "waiting", 0)]
    assert job["status"] == "succeeded"
    await client.delete(f"/webhooks/{made['id']}")


async def test_pages_of_webhooks_and_of_deliveries(new_tenant):
    client = await new_tenant()
    ids = [(await client.post("/webhooks", json={"url": URL})).json()["id"] for _ in range(3)]
    for _ in range(3):
        await client.post("/documents/rechunk", json={})
    for path, many in (("/webhooks", 3), (f"/webhooks/{ids[0]}/deliveries", 3)):
        first = (await client.get(path, params={"limit": 2})).json()
        rest = (await client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        found = [each["id"] for each in first["data"] + rest["data"]]
        assert (len(set(found)), rest["has_more"]) == (many, False)
    for each in ids:
        await client.delete(f"/webhooks/{each}")


async def test_the_same_request_makes_it_once(new_tenant):
    client = await new_tenant()
    headers = {"Idempotency-Key": "once"}
    answers = [await client.post("/webhooks", json={"url": URL}, headers=headers) for _ in range(2)]
    assert [each.headers.get("Idempotency-Replayed") for each in answers] == [None, "true"]
    assert answers[0].json() == answers[1].json()
    await client.delete(f"/webhooks/{answers[0].json()['id']}")
    again = await client.post("/webhooks", json={"url": URL}, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "https://other.example/"}, "/url"),
        ({"url": "http://hooks.example/"}, "/url"),
        ({"url": "nonsense"}, "/url"),
        ({"url": f"{URL}\x00"}, "/url"),
        ({"url": f"{URL}/{'x' * 2000}"}, "/url"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "events": ["job.begun"]}, "/events/0"),
        ({"url": URL, "events": ["job.ended", "job.ended"]}, "/events"),
        ({"events": ["job.ended"]}, "/url"),
    ],
)
async def test_what_is_no_webhook_is_refused(tenant, body, pointer):
    refused = await tenant.post("/webhooks", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_tenant_has_so_many_at_most(new_tenant):
    client = await new_tenant()
    made = [await client.post("/webhooks", json={"url": URL}) for _ in range(MAX_WEBHOOKS + 1)]
    assert [each.status_code for each in made] == [201] * MAX_WEBHOOKS + [409]


async def test_without_hosts_there_are_none(services, tenant):
    off = dataclasses.replace(services, settings=services.settings.model_copy(update={"webhook_hosts": ""}))
    app = create_app(off.settings, off)
    app.state.services = off
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=tenant.headers) as client:
        refused = await client.post("/webhooks", json={"url": URL})
        assert (refused.status_code, refused.json()["code"]) == (409, "webhooks_off")
        assert (await client.get("/webhooks")).status_code == 200
        operator = await client.get("/webhooks", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert operator.status_code == 401


def test_the_commands(monkeypatch, capsys):
    asked = []

    def call(client, method, path, **sent):
        asked.append((method, path, sent))
        return {"id": "whk_1", "secret": "whsec_x"}

    monkeypatch.setattr("app.cli.webhooks.call", call)
    monkeypatch.setattr("app.cli.webhooks.list_all", lambda client, path: iter([{"path": path}]))
    assert main(["webhook", "add", URL, "--events", "job.ended", "limit.reached"]) == 0
    assert main(["webhook", "add", URL]) == main(["webhook", "delete", "whk_1"]) == 0
    assert main(["webhook", "list"]) == main(["webhook", "deliveries", "whk_1"]) == 0
    assert asked == [
        ("POST", "/webhooks", {"json": {"url": URL, "events": ["job.ended", "limit.reached"]}}),
        ("POST", "/webhooks", {"json": {"url": URL}}),
        ("DELETE", "/webhooks/whk_1", {}),
    ]
    assert capsys.readouterr().out.splitlines() == [
        "whk_1\twhsec_x", "whk_1\twhsec_x", '{"path": "/webhooks"}', '{"path": "/webhooks/whk_1/deliveries"}',
    ]  # fmt: skip
