"""A request that comes twice with the same Idempotency-Key makes one job."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from tests.conftest import ADMIN_KEY, NewTenant
from tests.deleting import worked_off

BODY = {"documents": [{"id": "guide", "text": "한 번만 받습니다. Taken once."}]}


def with_key(key: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Idempotency-Key": key}}


@pytest.fixture
def blobs(settings):
    return lambda: {path for path in settings.blobs.rglob("*") if path.is_file()}


async def test_the_same_request_again_is_the_same_job(new_tenant: NewTenant, blobs):
    client = await new_tenant()
    first = await client.post("/ingest", json=BODY, **with_key("upload-1"))
    stored = blobs()
    again = await client.post("/ingest", json=BODY, **with_key("upload-1"))
    assert again.status_code == first.status_code == 202
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len((await client.get("/jobs")).json()["data"]) == 1
    assert blobs() == stored


async def test_files_are_compared_by_content_name_and_fields(new_tenant: NewTenant):
    client = await new_tenant()

    async def send(content: bytes, name: str = "a.txt", **fields: str):
        return await client.post("/ingest", files={"file": (name, content)}, data=fields, **with_key("file-1"))

    first = await send(b"one", metadata='{"lang": "ko"}')
    assert (await send(b"one", metadata='{"lang": "ko"}')).json() == first.json()
    for other in (
        send(b"two", metadata='{"lang": "ko"}'),
        send(b"one"),
        send(b"one", "b.txt", metadata='{"lang": "ko"}'),
    ):
        refused = await other
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/Idempotency-Key"
    assert len((await client.get("/jobs")).json()["data"]) == 1


async def test_two_at_once_make_one_job(new_tenant: NewTenant):
    client = await new_tenant()
    answers = await asyncio.gather(*(client.post("/ingest", json=BODY, **with_key("race")) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


async def test_a_key_is_the_tenants_own_and_is_kept_a_day(new_tenant: NewTenant, owner_url):
    one, other = await new_tenant("idem-one"), await new_tenant("idem-other")
    first = await one.post("/ingest", json=BODY, **with_key("shared"))
    theirs = await other.post("/ingest", json={"documents": [{"text": "Else."}]}, **with_key("shared"))
    assert theirs.status_code == 202
    with psycopg.connect(owner_url) as connection:
        number = connection.execute("set role kyujang_operator; select id from tenants where slug = 'idem-one'")
        number.nextset()
        (tenant,) = number.fetchone()
        connection.execute("reset role")
        connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        connection.execute("update idempotency_keys set created_at = now() - interval '25 hours'")
    late = await one.post("/ingest", json=BODY, **with_key("shared"))
    assert late.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", "with space", "x" * 256])
async def test_a_bad_key_is_refused(new_tenant: NewTenant, key):
    client = await new_tenant()
    assert (await client.post("/ingest", json=BODY, **with_key(key))).status_code == 422


async def test_a_repeated_request_may_wait_for_the_end(new_tenant: NewTenant, worker):
    client = await new_tenant()
    await client.post("/ingest", json=BODY, **with_key("wait"))
    again = await client.post("/ingest?wait=60", json=BODY, **with_key("wait"))
    assert again.status_code == 200
    assert again.json()["status"] == "succeeded"
    assert again.headers["idempotency-replayed"] == "true"


OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}


def by_operator(key: str) -> dict[str, dict[str, str]]:
    return {"headers": OPERATOR | {"Idempotency-Key": key}}


async def test_a_tenant_is_made_once(anonymous, services, settled):
    body = {"id": "made-once", "name": "한 번"}
    answers = await asyncio.gather(*(anonymous.post("/tenants", json=body, **by_operator("t-1")) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    other = await anonymous.post("/tenants", json=body | {"name": "Else"}, **by_operator("t-1"))
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/Idempotency-Key")
    assert (await anonymous.post("/tenants", json=body, **by_operator("t-2"))).status_code == 409
    assert (await anonymous.post("/tenants", json=body, headers=OPERATOR)).status_code == 409
    key = await anonymous.post("/tenants/made-once/keys", json={}, **by_operator("t-1"))
    assert key.status_code == 422
    assert (await anonymous.delete("/tenants/made-once", headers=OPERATOR)).status_code == 202
    assert (await anonymous.post("/tenants", json=body, **by_operator("t-1"))).status_code == 409
    await worked_off(services, "made-once")
    again = await anonymous.post("/tenants", json=body, **by_operator("t-1"))
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers


async def test_a_key_is_made_once_and_the_second_request_is_told(anonymous, new_tenant: NewTenant):
    await new_tenant("keys-once")
    body = {"scopes": ["query"]}
    answers = await asyncio.gather(
        *(anonymous.post("/tenants/keys-once/keys", json=body, **by_operator("k-1")) for _ in range(4))
    )
    (made,) = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert len(refused) == 3
    assert all(made["id"] in each["detail"] for each in refused)
    assert made["key"] not in str(refused)
    assert len((await anonymous.get("/tenants/keys-once/keys", headers=OPERATOR)).json()["data"]) == 2
    other = await anonymous.post("/tenants/keys-once/keys", json={"scopes": ["read"]}, **by_operator("k-1"))
    assert other.status_code == 422


async def test_the_operator_s_go_with_their_tenant(anonymous, owner_url):
    body = {"id": "goes-away", "name": "Haetae"}
    await anonymous.post("/tenants", json=body, **by_operator("gone-1"))
    await anonymous.post("/tenants/goes-away/keys", json={}, **by_operator("gone-2"))
    counted = "select count(*) from operator_requests where key like 'gone-_' or made = 'goes-away'"
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("set role kyujang_operator")
        assert connection.execute(counted).fetchone() == (2,)
        assert (await anonymous.delete("/tenants/goes-away", headers=OPERATOR)).status_code == 202
        assert connection.execute(counted).fetchone() == (0,)


async def test_the_operator_s_are_kept_a_day(anonymous, new_tenant: NewTenant, owner_url):
    await new_tenant("keys-late")
    first = await anonymous.post("/tenants/keys-late/keys", json={}, **by_operator("k-2"))
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        connection.execute("delete from operator_requests where key <> 'k-2'")
        connection.execute("reset role")
        connection.execute("alter table operator_requests no force row level security")
        connection.execute("update operator_requests set created_at = now() - interval '25 hours'")
        connection.execute("alter table operator_requests force row level security")
    late = await anonymous.post("/tenants/keys-late/keys", json={}, **by_operator("k-2"))
    assert late.status_code == 201
    assert late.json()["id"] != first.json()["id"]
