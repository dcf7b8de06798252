"""The audit trail: each change is in it, nothing of a text is, and nothing in it can be changed."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from app.adapters import activation, registry
from app.errors import NotFound
from app.storage import audit, documents
from app.storage.blobs import Blob
from app.storage.database import fetch_all
from app.storage.tenants import SCOPES, tenant_by_slug
from tests.conftest import ADMIN_KEY, ingest_text

pytestmark = pytest.mark.usefixtures("worker")

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
SECRET = "The seal of Haetae is buried at 4711."


async def entries(client, **query):
    answer = await client.get("/audit", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def told(client, **query) -> list[tuple]:
    """Oldest first, without what the tenant's key left."""
    found = [(each["act"], each["kind"], each["object"]) for each in await entries(client, **query)]
    return [each for each in reversed(found) if each[1] not in ("key", "tenant")]


def key_id(client) -> str:
    return client.headers["authorization"].split("_")[1]


async def test_each_change_is_told(new_tenant, services):
    client = await new_tenant("changing", SCOPES)
    number = (await tenant_by_slug(services.database, "changing")).number
    await ingest_text(client, SECRET, id="seal")
    await client.post("/collections", json={"id": "hr", "defaults": {"top_k": 3}})
    await client.patch("/collections/hr", json={"defaults": {"top_k": 4}})
    await client.patch("/documents/seal", json={"collection": "hr"})
    filters = {"key": "document_id", "op": "eq", "value": "seal"}
    await client.post("/collections/default/documents", json={"filters": filters})
    for persona in (SECRET, "Another."):
        await client.put("/prompts/desk", json={"persona": persona})
    await client.post("/prompts/desk/activate", json={"version": 2})
    await client.post("/prompts/deactivate")
    await client.delete("/prompts/desk")
    await registry.create_version(services.database, number, "tone", Blob(f"{number}/none", 1, b"tone"))
    await registry.set_status(services.database, number, "tone", 1, "ready")
    await activation.activate(services.database, number, "tone", 1)
    await client.post("/adapters/deactivate")
    await client.delete("/adapters/tone")
    await client.delete("/documents/seal")
    await client.delete("/collections/hr")
    assert await told(client) == [
        ("create", "collection", "hr"),
        ("change", "collection", "hr"),
        ("move", "document", "seal"),
        ("move", "collection", "default"),
        ("create", "prompt", "desk"),
        ("change", "prompt", "desk"),
        ("activate", "prompt", "desk"),
        ("deactivate", "prompt", "desk"),
        ("delete", "prompt", "desk"),
        ("create", "adapter", "tone@1"),
        ("activate", "adapter", "tone@1"),
        ("deactivate", "adapter", "tone@1"),
        ("delete", "adapter", "tone"),
        ("delete", "document", "seal"),
        ("delete", "collection", "hr"),
    ]
    every = await entries(client)
    assert "Haetae" not in str(every)
    changed = next(each for each in every if (each["act"], each["kind"]) == ("change", "collection"))
    assert (changed["before"]["defaults"], changed["after"]["defaults"]) == ({"top_k": 3}, {"top_k": 4})
    assert (changed["actor"], changed["route"]) == (key_id(client), "PATCH /collections/{id}")
    assert changed["request_id"].startswith("req_")
    activated = next(each for each in every if (each["act"], each["kind"]) == ("activate", "prompt"))
    assert (activated["before"], activated["after"]) == ({"default": None}, {"default": "desk@2"})


async def test_what_changes_nothing_is_not_told(new_tenant):
    client = await new_tenant()
    await client.put("/prompts/desk", json={"persona": "The same."})
    before = await entries(client)
    await client.put("/prompts/desk", json={"persona": "The same."})
    await client.post("/prompts/deactivate")
    assert (await client.delete("/documents/no-such")).status_code == 404
    assert (await client.delete("/prompts/no-such")).status_code == 404
    assert await entries(client) == before


async def test_keys_and_tenants_are_the_operators_acts(anonymous, new_tenant, services):
    client = await new_tenant("watched", ("read",))
    made = (await anonymous.post("/tenants/watched/keys", json={"scopes": ["query"]}, headers=OPERATOR)).json()
    for _ in range(2):
        await anonymous.delete(f"/tenants/watched/keys/{made['id']}", headers=OPERATOR)
    found = [(each["act"], each["kind"], each["actor"]) for each in await entries(client)]
    assert found == [
        ("revoke", "key", "operator"),
        ("create", "key", "operator"),
        ("create", "key", "operator"),
        ("create", "tenant", "operator"),
    ]
    assert made["key"].rpartition("_")[2] not in str(await entries(client))
    (revoked,) = await entries(client, object=made["id"], **{"from": "2020-01-01T00:00:00Z"}, limit=1)
    assert (revoked["act"], revoked["before"]) == ("revoke", {"scopes": ["query"]})
    assert await entries(client, to="2020-01-01T00:00:00Z") == []
    assert await entries(client, actor="nobody") == []
    for name in ("actor", "object"):
        assert (await client.get("/audit", params={name: "a\0"})).status_code == 422


async def test_a_tenant_sees_its_own_and_the_operator_all(anonymous, new_tenant):
    first, second = [await new_tenant(name) for name in ("one", "two")]
    for client in (first, second):
        await client.put("/prompts/desk", json={"persona": "x"})
    assert {each["tenant"] for each in await entries(first)} == {"one"}
    all_of_them = (await anonymous.get("/audit?limit=200", headers=OPERATOR)).json()["data"]
    assert {each["tenant"] for each in all_of_them} >= {"one", "two"}
    page = (await first.get("/audit?limit=1")).json()
    rest = (await first.get("/audit", params={"cursor": page["next_cursor"]})).json()
    assert page["data"] + rest["data"] == await entries(first)
    refused = await anonymous.get("/audit", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    for query in ("from=yesterday", "limit=0", "who=me"):
        assert (await first.get(f"/audit?{query}")).status_code == 422


async def test_an_act_that_fails_leaves_no_entry(new_tenant, services, monkeypatch):
    client = await new_tenant("failing")
    number = (await tenant_by_slug(services.database, "failing")).number
    await ingest_text(client, "Stays.", id="stays")
    before = await entries(client)

    async def broken(*_, **__):
        raise NotFound("broken off")

    monkeypatch.setattr(documents.postings, "remove", broken)
    with pytest.raises(NotFound):
        await documents.delete_document(services.database, number, "stays")
    assert await entries(client) == before
    assert (await client.get("/documents/stays")).status_code == 200


@pytest.mark.parametrize("role", ["kyujang_service", "kyujang_operator"])
@pytest.mark.parametrize("statement", ["update audit set actor = 'nobody'", "delete from audit", "truncate audit"])
async def test_no_role_of_the_service_changes_an_entry(new_tenant, settings, role, statement):
    await new_tenant()
    with psycopg.connect(settings.service_url) as service:
        service.execute("select set_config('app.tenant', '1', true)")
        if role == "kyujang_operator":
            service.execute("set local role kyujang_operator")
        with pytest.raises(InsufficientPrivilege):
            service.execute(statement)


async def test_an_entry_is_of_the_tenant_that_is_set(new_tenant, services):
    mine, other = [
        (await tenant_by_slug(services.database, slug)).number for slug in ("mine", "others") if await new_tenant(slug)
    ]
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        async with services.database.transaction(mine) as connection:
            await audit.record(connection, other, "delete", "document", "x")
    async with services.database.transaction(mine) as connection:
        seen = await fetch_all(connection, "select distinct tenant_id from audit")
    assert [row["tenant_id"] for row in seen] == [mine]


async def test_what_is_old_is_removed_and_the_last_day_never(new_tenant, services, owner_url):
    client = await new_tenant()
    await client.put("/prompts/desk", json={"persona": "x"})
    with psycopg.connect(owner_url) as owner:
        owner.execute("update audit set at = now() - interval '400 days' where kind = 'tenant'")
    assert await audit.remove_old(services.database, older_than_days=365) > 0
    assert {each["kind"] for each in await entries(client)} == {"key", "prompt"}
    assert await audit.remove_old(services.database, older_than_days=0) == 0
    assert {each["kind"] for each in await entries(client)} == {"key", "prompt"}


def test_an_owner_whom_row_level_security_binds_removes_it_too(owner_url):
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "insert into audit (actor, act, kind, object, at) values ('x', 'delete', 'tenant', 'x', '2020-01-01')"
        )
        owner.execute("create role plain_owner")
        owner.execute("alter table audit owner to plain_owner")
        owner.execute("alter function forget_audit(interval) owner to plain_owner")
        owner.execute("set local role kyujang_operator")
        assert owner.execute("select forget_audit('365 days')").fetchone() == (1,)
        owner.rollback()
