"""Every route, walked with two tenants: what is another's looks exactly like what is not there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.adapters import activation, registry
from app.main import create_app
from app.storage import job_creation, jobs, query_log
from app.storage.blobs import Blob
from app.storage.tenants import tenant_by_slug
from tests.conftest import ADMIN_KEY, NewTenant, ingest_text

pytestmark = pytest.mark.usefixtures("worker")

SECRET = "The launch code of project Haetae is 4711-해태."
OPEN = {"/healthz", "/readyz", "/metrics", "/limits"}
# How each route is called with the ids of another tenant, or to list what that tenant has.
BY_ID = {
    ("GET", "/documents/{id}"): "/documents/{document}",
    ("GET", "/documents/{id}/chunks"): "/documents/{document}/chunks",
    ("GET", "/documents/{id}/content"): "/documents/{document}/content",
    ("GET", "/documents/{id}/text"): "/documents/{document}/text",
    ("GET", "/documents/{id}/pages/{n}.png"): "/documents/{document}/pages/1.png",
    ("GET", "/documents/{id}/pages/{n}/boxes"): "/documents/{document}/pages/1/boxes?start=0&end=9",
    ("PATCH", "/documents/{id}"): "/documents/{document}",
    ("DELETE", "/documents/{id}"): "/documents/{document}",
    ("GET", "/collections/{id}"): "/collections/{collection}",
    ("PATCH", "/collections/{id}"): "/collections/{collection}",
    ("DELETE", "/collections/{id}"): "/collections/{collection}",
    ("GET", "/jobs/{id}"): "/jobs/{job}",
    ("GET", "/jobs/{id}/events"): "/jobs/{job}/events",
    ("GET", "/jobs/{id}/loss.png"): "/jobs/{job}/loss.png",
    ("DELETE", "/jobs/{id}"): "/jobs/{job}",
    ("GET", "/prompts/{name}"): "/prompts/{prompt}",
    ("POST", "/prompts/{name}/activate"): "/prompts/{prompt}/activate",
    ("DELETE", "/prompts/{name}"): "/prompts/{prompt}",
    ("GET", "/v1/models/{id}"): "/v1/models/{prompt}",
    ("GET", "/adapters/{name}"): "/adapters/{adapter}",
    ("POST", "/adapters/{name}/activate"): "/adapters/{adapter}/activate",
    ("POST", "/adapters/{name}/evaluate"): "/adapters/{adapter}/evaluate",
    ("GET", "/adapters/{name}/evaluations"): "/adapters/{adapter}/evaluations",
    ("DELETE", "/adapters/{name}"): "/adapters/{adapter}",
    ("DELETE", "/tune/{id}"): "/tune/{job}",
    ("GET", "/evaluations/{id}"): "/evaluations/{job}",
    ("POST", "/queries/{id}/feedback"): "/queries/{query}/feedback",
    ("DELETE", "/evaluations/{id}"): "/evaluations/{job}",
    ("GET", "/webhooks/{id}/deliveries"): "/webhooks/{webhook}/deliveries",
    ("DELETE", "/webhooks/{id}"): "/webhooks/{webhook}",
}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/documents/{id}"): {"title": "Of its own"},
    ("PATCH", "/collections/{id}"): {"name": "Of its own"},
    ("POST", "/queries/{id}/feedback"): {"vote": "up"},
    ("POST", "/prompts/{name}/activate"): {"version": 1},
    ("POST", "/adapters/{name}/activate"): {"version": 1},
    ("POST", "/adapters/{name}/evaluate"): {"cases": [{"input": "x"}]},
}
# They need an engine, or an activation to go back on: tests/app/api/adapters/, test_tune.py.
# The operator's key opens it too.
OF_BOTH = {("GET", "/audit"), ("GET", "/usage")}
ELSEWHERE = [("POST", "/adapters"), ("POST", "/adapters/rollback"), ("POST", "/tune")]
LISTING: dict[tuple[str, str], dict[str, Any] | None] = {
    ("GET", "/documents"): None,
    ("GET", "/jobs"): None,
    ("POST", "/search"): {"input": "launch code of project Haetae", "explain": True},
    ("POST", "/query"): {"input": "What is the launch code of project Haetae?", "explain": True},
    ("POST", "/ingest"): {"documents": [{"text": "Something of the stranger's own."}]},
    ("POST", "/documents/rechunk"): {},
    ("GET", "/audit"): None,
    ("GET", "/whoami"): None,
    ("GET", "/usage"): None,
    ("GET", "/map"): None,
    ("POST", "/map/place"): {"input": "launch code of project Haetae"},
    ("GET", "/collections"): None,
    ("POST", "/collections"): {"id": "of-its-own"},
    ("POST", "/collections/{id}/documents"): {"filters": {"key": "source", "op": "ne", "value": "none"}},
    ("GET", "/evaluations"): None,
    ("GET", "/queries"): None,
    ("GET", "/webhooks"): None,
    ("POST", "/webhooks"): {"url": "https://hooks.example/own"},
    ("POST", "/evaluations"): {"cases": [{"input": "What is the launch code of project Haetae?"}]},
    ("GET", "/prompts"): None,
    ("PUT", "/prompts/{name}"): {"persona": "Of its own."},
    ("POST", "/prompts/deactivate"): None,
    ("GET", "/v1/models"): None,
    ("GET", "/adapters"): None,
    ("GET", "/adapters/activations"): None,
    ("POST", "/adapters/deactivate"): None,
    ("POST", "/v1/chat/completions"): {
        "model": "default",
        "messages": [{"role": "user", "content": "What is the launch code of project Haetae?"}],
    },
    ("POST", "/v1/completions"): {"model": "default", "prompt": "What is the launch code of project Haetae?"},
    ("POST", "/v1/responses"): {"model": "default", "input": "What is the launch code of project Haetae?"},
    ("POST", "/v1/embeddings"): {"model": "default", "input": "What is the launch code of project Haetae?"},
}


@dataclass
class World:
    owner: httpx.AsyncClient
    stranger: httpx.AsyncClient
    document: str
    job: str
    task: str
    query: str
    webhook: str
    prompt: str = "haetae-desk"
    adapter: str = "haetae-tone"
    collection: str = "haetae-plans"

    def path(self, route: str) -> str:
        names = {"prompt": self.prompt, "adapter": self.adapter, "collection": self.collection}
        # Of a list the caller's own.
        names |= {"name": "own", "id": "default"}
        return route.format(
            document=quote(self.document, safe=""), job=self.job, query=self.query, webhook=self.webhook, **names
        )


@pytest.fixture(scope="module")
async def world(new_tenant: NewTenant, services) -> World:
    owner, stranger = [
        await new_tenant(name, ("query", "read", "ingest", "adapters")) for name in ("owner", "stranger")
    ]
    document = "haetae/50% (plan) #1?/chunks"
    await owner.post("/collections", json={"id": World.collection, "name": "Haetae"})
    job = await ingest_text(owner, SECRET, id=document, title="Haetae", collection=World.collection)
    number = (await tenant_by_slug(services.database, "owner")).number
    await registry.create_version(services.database, number, World.adapter, Blob(f"{number}/none", 1, b"haetae"))
    await registry.set_status(services.database, number, World.adapter, 1, "ready")
    await activation.activate(services.database, number, World.adapter, 1)
    task, _ = await job_creation.create_job(services.database, number, jobs.Task("evaluate", World.adapter, 1))
    for name in ("owner", "stranger"):
        await query_log.set_days(services.database, name, 30)
    asked = await owner.post("/query", json={"input": "What is the launch code of project Haetae?"})
    hook = await owner.post("/webhooks", json={"url": "https://hooks.example/haetae"})
    world = World(owner, stranger, document, job["id"], task.id, asked.json()["id"], hook.json()["id"])
    await owner.put(f"/prompts/{world.prompt}", json={"persona": "Keeper of 4711."})
    return world


def routes(settings) -> set[tuple[str, str]]:
    paths = create_app(settings).openapi()["paths"]
    found = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    return {
        (method, path) for method, path in found if path not in OPEN and not path.startswith(("/tenants", "/engines"))
    }


def test_no_route_is_left_out(settings):
    assert routes(settings) == {*BY_ID, *LISTING, *ELSEWHERE}


@pytest.mark.parametrize(("method", "route"), BY_ID)
async def test_anothers_id_is_an_unknown_id(world, method, route):
    body = BODIES.get((method, route))
    nothing = BY_ID[method, route].format(
        document="no such",
        job="job_no_such",
        query="qry_no_such",
        webhook="whk_no_such",
        prompt="no-such",
        adapter="no-such",
        collection="no-such",
    )
    foreign = await world.stranger.request(method, world.path(BY_ID[method, route]), json=body)
    unknown = await world.stranger.request(method, nothing, json=body)
    assert foreign.status_code == unknown.status_code == 404
    assert without_request_id(foreign) == without_request_id(unknown)
    assert "Haetae" not in foreign.text


@pytest.mark.parametrize(("method", "route"), LISTING)
async def test_nothing_of_another_tenant_shows(world, method, route):
    mine = await world.owner.request(method, world.path(route), json=LISTING[method, route])
    theirs = await world.stranger.request(method, world.path(route), json=LISTING[method, route])
    assert mine.is_success
    assert theirs.is_success
    # A vector's number may hold these digits, too.
    assert not re.search(r"(?<![\d.])4711", theirs.text)
    assert not any(trace in theirs.text for trace in ("haetae", world.job, world.task))


async def test_the_owner_still_has_it_all(world):
    """After the walk above, deletions included."""
    document = await world.owner.get(world.path("/documents/{document}"))
    chunks = (await world.owner.get(world.path("/documents/{document}/chunks"))).json()["data"]
    answer = (await world.owner.post("/query", json={"input": "What is the launch code of project Haetae?"})).json()
    assert document.json()["title"] == "Haetae"
    assert (await owner_has(world, "/collections/{collection}"))["name"] == "Haetae"
    assert chunks[0]["text"] == SECRET
    assert "4711" in answer["answer"]
    assert (await world.owner.get(f"/prompts/{world.prompt}")).json()["persona"] == "Keeper of 4711."
    assert (await world.owner.get(f"/adapters/{world.adapter}")).json()["status"] == "ready"
    assert {citation["document_id"] for citation in answer["citations"]} == {world.document}


async def owner_has(world: World, route: str) -> dict[str, Any]:
    return (await world.owner.get(world.path(route))).json()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/{}"), ("GET", "/jobs/{}/events"), ("DELETE", "/jobs/{}"), ("DELETE", "/tune/{}"),
        ("DELETE", "/evaluations/{}"),
    ],
)  # fmt: skip
async def test_anothers_task_is_an_unknown_job(world, method, path):
    foreign = await world.stranger.request(method, path.format(world.task))
    unknown = await world.stranger.request(method, path.format("job_no_such"))
    assert foreign.status_code == unknown.status_code == 404
    assert without_request_id(foreign) == without_request_id(unknown)
    assert (await world.owner.get(f"/jobs/{world.task}")).json()["kind"] == "evaluate"


async def test_the_same_id_is_each_tenants_own(world):
    await ingest_text(world.stranger, "A recipe.", id=world.document)
    assert (await world.stranger.get(world.path("/documents/{document}"))).json()["bytes"] == len("A recipe.")
    assert (await world.stranger.delete(world.path("/documents/{document}"))).status_code == 204
    assert (await world.owner.get(world.path("/documents/{document}"))).status_code == 200


@pytest.mark.parametrize(("method", "route"), [*BY_ID, *LISTING, *ELSEWHERE])
async def test_without_a_key_nothing_opens(anonymous, world, method, route):
    path = world.path(BY_ID.get((method, route), route))
    for headers in ({}, {"Authorization": "Bearer kyu_00_wrong"}, {"Authorization": f"Bearer {ADMIN_KEY}"}):
        if (method, route) in OF_BOTH and ADMIN_KEY in str(headers):
            continue
        refused = await anonymous.request(method, path, json=LISTING.get((method, route)), headers=headers)
        assert refused.status_code == 401
        shape = "application/json" if route.startswith("/v1/") else "application/problem+json"
        assert refused.headers["content-type"] == shape


async def test_anothers_prompt_is_an_unknown_model(world):
    asked = {"messages": [{"role": "user", "content": "x"}]}
    foreign = await world.stranger.post("/v1/chat/completions", json={**asked, "model": world.prompt})
    unknown = await world.stranger.post("/v1/chat/completions", json={**asked, "model": "no-such"})
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() == unknown.json()


async def test_a_tenant_in_the_body_or_a_header_is_no_tenant(world):
    body = {"input": "launch code", "tenant": "owner", "tenant_id": 1}
    assert (await world.stranger.post("/search", json=body)).status_code == 422
    headers = {"X-Tenant": "owner", "X-Tenant-Id": "owner"}
    answer = await world.stranger.post("/search", json={"input": "launch code of Haetae"}, headers=headers)
    assert "4711" not in answer.text


@pytest.mark.parametrize("scopes", [("query",), ("ingest",)])
async def test_a_key_does_what_its_scopes_say(new_tenant, scopes):
    client = await new_tenant(scopes=scopes)
    asked = await client.post("/search", json={"input": "anything"})
    sent = await client.post("/ingest", json={"documents": [{"text": "anything"}]})
    assert (asked.status_code == 200) == ("query" in scopes)
    assert (sent.status_code == 202) == ("ingest" in scopes)
    assert {asked.status_code, sent.status_code} >= {403}


def without_request_id(response: httpx.Response) -> dict[str, Any]:
    return {key: value for key, value in response.json().items() if key != "request_id"}
