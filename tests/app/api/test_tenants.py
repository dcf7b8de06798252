from __future__ import annotations

import hashlib
from datetime import datetime

import psycopg
import pytest

from tests.conftest import ADMIN_KEY, ingest_text
from tests.deleting import worked_off

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}

pytestmark = pytest.mark.usefixtures("worker", "settled")


async def test_the_life_of_a_tenant(anonymous, services, owner_url):
    made = await anonymous.post("/tenants", json={"id": "acme", "name": "아크메"}, headers=OPERATOR)
    assert made.status_code == 201
    assert (await anonymous.post("/tenants", json={"id": "acme", "name": "x"}, headers=OPERATOR)).status_code == 409
    key = (await anonymous.post("/tenants/acme/keys", json={}, headers=OPERATOR)).json()
    anonymous.headers["Authorization"] = f"Bearer {key['key']}"
    try:
        await ingest_text(anonymous, "Acme makes anvils.")
        assert (await anonymous.get("/documents")).json()["data"][0]["chunks"] == 1
        folders = list(services.settings.blobs.iterdir())
        assert (await anonymous.delete("/tenants/acme", headers=OPERATOR)).status_code == 202
        assert (await anonymous.get("/documents")).status_code == 401
    finally:
        del anonymous.headers["Authorization"]
    await worked_off(services, "acme")
    assert [folder for folder in folders if folder.exists()] == []
    with psycopg.connect(owner_url) as connection:
        left = connection.execute("select count(*) from chunks where content like 'Acme%'").fetchone()
    assert left == (0,)


async def test_a_revoked_key_is_refused_from_the_next_request(anonymous):
    await anonymous.post("/tenants", json={"id": "revoked", "name": "R"}, headers=OPERATOR)
    key = (await anonymous.post("/tenants/revoked/keys", json={"scopes": ["read"]}, headers=OPERATOR)).json()
    own = {"Authorization": f"Bearer {key['key']}"}
    assert (await anonymous.get("/documents", headers=own)).status_code == 200
    assert (await anonymous.delete(f"/tenants/revoked/keys/{key['id']}", headers=OPERATOR)).status_code == 204
    assert (await anonymous.get("/documents", headers=own)).status_code == 401
    listed = (await anonymous.get("/tenants/revoked/keys", headers=OPERATOR)).json()["data"]
    assert listed[0]["revoked_at"] is not None
    assert key["key"] not in str(listed)


async def test_an_expired_key_is_refused(anonymous, owner_url):
    await anonymous.post("/tenants", json={"id": "expired", "name": "E"}, headers=OPERATOR)
    key = (await anonymous.post("/tenants/expired/keys", json={}, headers=OPERATOR)).json()
    own = {"Authorization": f"Bearer {key['key']}"}
    assert (await anonymous.get("/documents", headers=own)).status_code == 200
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        connection.execute("update api_keys set expires_at = now() where id = %s", [key["id"]])
    assert (await anonymous.get("/documents", headers=own)).status_code == 401


EXPIRIES = {
    "2099-01-31T09:00:00Z": "2099-01-31T09:00:00Z",
    "2099-01-31t09:00:00.1234567+09:00": "2099-01-31T00:00:00.123457Z",
    "2099-01-31T09:00:00.123456789-11:30": "2099-01-31T20:30:00.123457Z",
    "2099-01-31 09:00:00.9999999Z": "2099-01-31T09:00:01Z",
    "2098-12-31T23:59:60Z": "2099-01-01T00:00:00Z",
    "2099-01-01T08:59:60.5+09:00": "2099-01-01T00:00:00.500000Z",
    "9999-12-29T23:59:59+12:00": "9999-12-29T11:59:59Z",
}


@pytest.mark.parametrize(("expires_at", "meant"), EXPIRIES.items())
async def test_a_time_with_an_offset_is_an_expiry(anonymous, expires_at, meant):
    await anonymous.post("/tenants", json={"id": "later", "name": "L"}, headers=OPERATOR)
    made = await anonymous.post("/tenants/later/keys", json={"expires_at": expires_at}, headers=OPERATOR)
    assert made.status_code == 201, made.text
    listed = (await anonymous.get("/tenants/later/keys", headers=OPERATOR)).json()["data"]
    kept = next(key["expires_at"] for key in listed if key["id"] == made.json()["id"])
    assert {datetime.fromisoformat(each) for each in (made.json()["expires_at"], kept, meant)} == {
        datetime.fromisoformat(meant)
    }


NO_EXPIRIES = (
    "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", "9999-12-31T00:00:00", "0001-01-01T00:00:00+12:00",
    "0001-01-01T00:00:00+09:00", "0001-01-01T00:00:00-23:59", "2020-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
    "2099-01-01", "2099-01-01T00:00:00", "2099-01-01T00:00:61Z", "9999-12-31T23:59:60Z",
    "20990101T000000Z", "2099-W01-1T00:00:00Z",
    "2099-13-01T00:00:00Z", "2099-01-01T00:00:00+99:00", "4102444800", "", "never", 4102444800, 1e300, True, [],
)  # fmt: skip


@pytest.mark.parametrize("expires_at", NO_EXPIRIES, ids=repr)
async def test_what_is_past_or_no_time_with_an_offset_is_no_expiry(anonymous, expires_at):
    await anonymous.post("/tenants", json={"id": "edge", "name": "E"}, headers=OPERATOR)
    answer = await anonymous.post("/tenants/edge/keys", json={"expires_at": expires_at}, headers=OPERATOR)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/expires_at")
    assert (await anonymous.get("/tenants/edge/keys", headers=OPERATOR)).json()["data"] == []


async def test_a_stored_expiry_beyond_the_calendar_is_shown_as_its_end(anonymous, owner_url):
    await anonymous.post("/tenants", json={"id": "far", "name": "F"}, headers=OPERATOR)
    stored = {"10000-01-01T11:59:59Z": 200, "infinity": 200, "0001-01-01T00:00:00Z BC": 401, None: 200}
    ids = {}
    for expires_at, status in stored.items():
        key = (await anonymous.post("/tenants/far/keys", json={}, headers=OPERATOR)).json()
        with psycopg.connect(owner_url) as connection:
            connection.execute("set role kyujang_operator")
            connection.execute("update api_keys set expires_at = %s where id = %s", (expires_at, key["id"]))
        asked = await anonymous.get("/documents", headers={"Authorization": f"Bearer {key['key']}"})
        assert asked.status_code == status, expires_at
        ids[key["id"]] = expires_at
    listed = (await anonymous.get("/tenants/far/keys", headers=OPERATOR)).json()["data"]
    assert {ids[key["id"]]: key["expires_at"] and key["expires_at"][:4] for key in listed} == {
        "10000-01-01T11:59:59Z": "9999",
        "infinity": "9999",
        "0001-01-01T00:00:00Z BC": "0001",
        None: None,
    }


async def test_only_a_hash_of_the_secret_is_stored(anonymous, owner_url):
    await anonymous.post("/tenants", json={"id": "hashed", "name": "H"}, headers=OPERATOR)
    key = (await anonymous.post("/tenants/hashed/keys", json={}, headers=OPERATOR)).json()
    secret = key["key"].split("_", 2)[2]
    with psycopg.connect(owner_url) as connection:
        row = connection.execute("select k::text, secret_hash from api_keys k where id = %s", [key["id"]]).fetchone()
    assert row is not None
    whole, stored = row
    assert stored == hashlib.sha256(secret.encode()).digest()
    assert secret not in whole
    assert secret.encode().hex() not in whole


@pytest.mark.parametrize("path", ["/tenants/none-such/keys", "/tenants/A%00B/keys", "/tenants/..%2f/keys"])
async def test_an_unknown_tenant_is_404(anonymous, path):
    assert (await anonymous.get(path, headers=OPERATOR)).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_the_operators_routes_need_the_operators_key(anonymous, headers):
    assert (await anonymous.get("/tenants", headers=headers)).status_code == 401


async def test_a_large_body_is_refused(anonymous):
    headers = OPERATOR | {"content-type": "application/json"}
    answer = await anonymous.post("/tenants", content=b" " * ((64 << 10) + 1), headers=headers)
    assert answer.status_code == 413
    assert "64 KB" in answer.json()["detail"]


async def test_pages_follow_each_other(anonymous):
    for number in range(3):
        await anonymous.post("/tenants", json={"id": f"page-{number}", "name": "P"}, headers=OPERATOR)
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await anonymous.get("/tenants", params=params, headers=OPERATOR)).json()
        seen += [tenant["id"] for tenant in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
        if cursor is None:
            break
    assert seen == sorted(set(seen))
    assert {"page-0", "page-1", "page-2", "default"} <= set(seen)
