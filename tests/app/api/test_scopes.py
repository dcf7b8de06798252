"""What each scope opens, route by route, and which jobs a key sees."""

from __future__ import annotations

import re
from typing import Any

import httpx
import psycopg
import pytest

from app.storage import job_creation, jobs
from app.storage.tenants import SCOPES, tenant_by_slug
from tests.app.api.paths import paths
from tests.conftest import ADMIN_KEY, ROOT, NewTenant, ingest_text

ANY = [{scope} for scope in SCOPES]
# Of each route the sets of scopes any of which opens it.
OPENED_BY: dict[tuple[str, str], list[set[str]]] = {
    ("POST", "/search"): [{"query"}],
    ("POST", "/query"): [{"query"}],
    ("POST", "/v1/chat/completions"): [{"query"}],
    ("POST", "/v1/completions"): [{"query"}],
    ("POST", "/v1/responses"): [{"query"}],
    ("POST", "/v1/embeddings"): [{"query"}],
    ("GET", "/v1/models"): [{"query"}],
    ("GET", "/v1/models/{id}"): [{"query"}],
    ("GET", "/documents"): [{"read"}],
    ("GET", "/documents/{id}"): [{"read"}],
    ("GET", "/documents/{id}/chunks"): [{"read"}],
    ("GET", "/documents/{id}/content"): [{"read"}],
    ("GET", "/documents/{id}/text"): [{"read"}],
    ("GET", "/documents/{id}/pages/{n}.png"): [{"read"}],
    ("GET", "/documents/{id}/pages/{n}/boxes"): [{"read"}],
    ("POST", "/ingest"): [{"ingest"}],
    ("POST", "/documents/rechunk"): [{"ingest"}],
    ("PATCH", "/documents/{id}"): [{"ingest"}],
    ("DELETE", "/documents/{id}"): [{"ingest"}],
    ("GET", "/audit"): [{"read"}],
    ("GET", "/usage"): [{"read"}],
    ("GET", "/map"): [{"read"}],
    ("POST", "/map/place"): [{"query"}],
    ("GET", "/whoami"): ANY,
    ("GET", "/collections"): ANY,
    ("GET", "/collections/{id}"): ANY,
    ("POST", "/collections"): [{"ingest"}],
    ("PATCH", "/collections/{id}"): [{"ingest"}],
    ("POST", "/collections/{id}/documents"): [{"ingest"}],
    ("DELETE", "/collections/{id}"): [{"ingest"}],
    ("GET", "/jobs"): [{"read"}, {"ingest"}, {"adapters"}],
    ("GET", "/jobs/{id}"): [{"read"}, {"ingest"}, {"adapters"}],
    ("GET", "/jobs/{id}/events"): [{"read"}, {"ingest"}, {"adapters"}],
    ("DELETE", "/jobs/{id}"): [{"ingest"}, {"adapters"}],
    ("GET", "/jobs/{id}/loss.png"): [{"adapters"}],
    ("GET", "/prompts"): ANY,
    ("GET", "/prompts/{name}"): ANY,
    ("PUT", "/prompts/{name}"): [{"ingest"}],
    ("DELETE", "/prompts/{name}"): [{"ingest"}],
    ("POST", "/prompts/{name}/activate"): [{"ingest"}],
    ("POST", "/prompts/deactivate"): [{"ingest"}],
    ("GET", "/adapters"): ANY,
    ("GET", "/adapters/activations"): ANY,
    ("GET", "/adapters/{name}"): ANY,
    ("POST", "/adapters"): [{"adapters"}],
    ("DELETE", "/adapters/{name}"): [{"adapters"}],
    ("POST", "/adapters/{name}/activate"): [{"adapters"}],
    ("POST", "/adapters/deactivate"): [{"adapters"}],
    ("POST", "/adapters/rollback"): [{"adapters"}],
    ("POST", "/adapters/{name}/evaluate"): [{"query", "adapters"}],
    ("GET", "/adapters/{name}/evaluations"): [{"query", "adapters"}],
    ("POST", "/tune"): [{"adapters"}],
    ("DELETE", "/tune/{id}"): [{"adapters"}],
    ("GET", "/queries"): [{"read"}],
    ("POST", "/queries/{id}/feedback"): [{"query"}],
    ("POST", "/webhooks"): [{"ingest"}],
    ("GET", "/webhooks"): [{"ingest"}],
    ("GET", "/webhooks/{id}/deliveries"): [{"ingest"}],
    ("DELETE", "/webhooks/{id}"): [{"ingest"}],
    ("POST", "/evaluations"): [{"query", "adapters"}],
    ("GET", "/evaluations"): [{"query", "adapters"}],
    ("GET", "/evaluations/{id}"): [{"query", "adapters"}],
    ("DELETE", "/evaluations/{id}"): [{"query", "adapters"}],
}
WITHOUT_KEY = {"/healthz", "/readyz", "/metrics", "/limits"}
KEYS = [*((scope,) for scope in SCOPES), ("query", "adapters"), SCOPES]
PATHS = paths()


def test_no_route_is_left_out():
    routes = {(method.upper(), path) for path, methods in PATHS.items() for method in methods}
    assert {
        each for each in routes if each[1] not in WITHOUT_KEY and not each[1].startswith(("/tenants", "/engines"))
    } == set(OPENED_BY)


@pytest.mark.parametrize("page", ["docs/operations/tenants-and-keys.md", "docs/ko/operations/tenants-and-keys.md"])
def test_the_documentation_names_what_opens_without_a_key(page):
    first = (ROOT / page).read_text().split("\n\n")[1]
    assert set(re.findall(r"`(/[^`]+)`", first)) == WITHOUT_KEY | {"/docs", "/redoc", "/openapi.json"}


@pytest.mark.parametrize("scopes", KEYS, ids="+".join)
async def test_a_key_opens_what_its_scopes_say(new_tenant: NewTenant, scopes):
    client, opened = await new_tenant(scopes=scopes), set()
    for method, route in OPENED_BY:
        answer = await client.request(method, route.replace("{", "").replace("}", ""))
        assert answer.status_code < 500
        if answer.status_code != 403:
            opened.add((method, route))
    assert opened == {route for route, needed in OPENED_BY.items() if any(each <= set(scopes) for each in needed)}


async def keys_of_one_tenant(client: httpx.AsyncClient, name: str) -> dict[str, httpx.AsyncClient]:
    operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
    clients = {}
    for scopes in KEYS:
        made = await client.post(f"/tenants/{name}/keys", json={"scopes": list(scopes)}, headers=operator)
        headers = {"Authorization": f"Bearer {made.json()['key']}"}
        clients["+".join(scopes)] = httpx.AsyncClient(
            transport=client._transport, base_url="http://kyujang", headers=headers
        )
    return clients


KINDS: dict[str, Any] = {
    "tune": jobs.Task("tune", "tone"),
    "evaluate": jobs.Task("evaluate", "tone", 1),
}
SEEN: dict[str, set[str]] = {
    "query": set(),
    "read": {"ingest", "rechunk"},
    "ingest": {"ingest", "rechunk"},
    "adapters": {"tune"},
    "query+adapters": {"tune", "evaluate"},
    "+".join(SCOPES): {"ingest", "rechunk", "tune", "evaluate"},
}


async def test_a_job_is_seen_by_the_keys_of_its_kind(new_tenant: NewTenant, services, worker):
    owner = await new_tenant("kinds")
    number = (await tenant_by_slug(services.database, "kinds")).number
    ids = {"ingest": (await ingest_text(owner, "The vault opens at nine.", id="vault"))["id"]}
    ids["rechunk"] = (await owner.post("/documents/rechunk")).json()["id"]
    for kind, task in KINDS.items():
        ids[kind] = (await job_creation.create_job(services.database, number, task))[0].id
    clients = await keys_of_one_tenant(owner, "kinds")
    assert {name: await seen(client, ids) for name, client in clients.items()} == SEEN
    for client in clients.values():
        listed = await client.get("/jobs")
        shown = {job["kind"] for job in listed.json().get("data", [])}
        assert shown == await seen(client, ids)
    assert (await clients["adapters"].delete(f"/jobs/{ids['evaluate']}")).status_code == 403
    assert (await clients["adapters"].delete(f"/jobs/{ids['ingest']}")).status_code == 403
    assert (await clients["read"].delete(f"/jobs/{ids['ingest']}")).status_code == 403
    assert (await clients["read"].delete(f"/jobs/{ids['rechunk']}")).status_code == 403
    for kind in KINDS:
        assert (await clients["query+adapters"].delete(f"/jobs/{ids[kind]}")).status_code == 200
    found = await clients["query"].post("/search", json={"input": "When does the vault open?"})
    assert "nine" in found.json()["contexts"][0]["text"]


async def seen(client: httpx.AsyncClient, ids: dict[str, str]) -> set[str]:
    """The kinds of job, whose stream opens as the job itself does."""
    found = {kind for kind, job in ids.items() if (await client.get(f"/jobs/{job}")).status_code == 200}
    if "ingest" not in found:
        assert (await client.get(f"/jobs/{ids['ingest']}/events")).status_code == 403
    return found


@pytest.mark.parametrize("status", ["succeeded", "queued", "cancelled", "failed"])
async def test_jobs_are_found_by_their_status(new_tenant: NewTenant, services, worker, status):
    owner = await new_tenant(f"by-{status}", SCOPES)
    number = (await tenant_by_slug(services.database, f"by-{status}")).number
    await ingest_text(owner, "Done.")
    for name in ("first", "second", "third"):
        await job_creation.create_job(services.database, number, jobs.Task("tune", name))
    listed = (await owner.get("/jobs")).json()["data"]
    assert listed[-1]["status"] == "succeeded"
    assert (await owner.delete(f"/jobs/{listed[1]['id']}")).status_code == 200
    found: list[dict[str, Any]] = []
    listed = []
    # A worker begins what is queued here; so look until nothing changed meanwhile.
    while listed != (listed := (await owner.get("/jobs")).json()["data"]):
        found, cursor = [], ""
        while cursor is not None:
            page = {"status": status, "limit": 1} | ({"cursor": cursor} if cursor else {})
            answer = (await owner.get("/jobs", params=page)).json()
            found += answer["data"]
            cursor = answer["next_cursor"]
    assert found == [job for job in listed if job["status"] == status]
    refused = await owner.get("/jobs?status=done")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/status")


def test_the_migration_lets_keys_read_that_could(owner_url):
    """As they were before it; what it does twice it does once."""
    migration = __import__("migrations.versions.0009_read_scope", fromlist=["KEYS"])
    before = [["query"], ["ingest", "adapters"], ["adapters"], ["query", "read"]]
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        (tenant,) = connection.execute("select id from tenants limit 1").fetchone()
        for number, scopes in enumerate(before):
            connection.execute(
                "insert into api_keys (tenant_id, id, secret_hash, scopes) values (%s, %s, '', %s)",
                [tenant, f"m{number}", scopes],
            )
        for _ in range(2):
            connection.execute(migration.KEYS)
        after = connection.execute("select scopes from api_keys where id ~ '^m[0-9]$' order by id").fetchall()
        connection.rollback()
    assert [row[0] for row in after] == [["query", "read"], ["ingest", "adapters", "read"], ["adapters"], before[3]]
