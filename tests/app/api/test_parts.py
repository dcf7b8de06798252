"""Every route, walked with keys of one tenant whose parts overlap, one of which acts for groups: what is inside comes,
what is outside looks like what is not there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.services import Services
from app.storage import query_log
from tests.app.api.test_isolation import OPEN, routes, without_request_id
from tests.conftest import ADMIN_KEY, NewTenant, ingest_text

pytestmark = pytest.mark.usefixtures("worker")

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
TEXTS = {
    "hr": "The pension plan of project Haetae is called Magpie.",
    "both": "The holiday plan of project Haetae is called Heron.",
    "low": "The lunch plan of project Haetae is called Plover.",
    "none": "The secret plan of project Haetae is called Osprey.",
}
BIRDS = {"hr": "Magpie", "both": "Heron", "low": "Plover", "none": "Osprey"}
ONLY = {
    "hr": {"key": "collection", "op": "in", "value": ["hr"]},
    "low": {"key": "metadata.level", "op": "lte", "value": 2},
}
SEEN = {"hr": {"hr", "both"}, "low": {"both", "low"}, "team": {"both", "low"}}
# Bound to `low`, and for the groups of both documents there; the first of them sees one outside as well.
GROUPS = {"hr": ["인사"], "both": ["인사", "staff"], "low": ["a,b"], "none": ["staff"]}
TEAM = {"Kyujang-Groups": "%EC%9D%B8%EC%82%AC, a%2Cb,nobody"}
ASKED = "What is the plan of project Haetae called?"

# By the id of a document, or of what belongs to it.
BY_ID = {
    ("GET", "/documents/{id}"): "/documents/{document}",
    ("GET", "/documents/{id}/chunks"): "/documents/{document}/chunks",
    ("GET", "/documents/{id}/content"): "/documents/{document}/content",
    ("GET", "/documents/{id}/text"): "/documents/{document}/text",
    ("GET", "/documents/{id}/pages/{n}.png"): "/documents/{document}/pages/1.png",
    ("GET", "/documents/{id}/pages/{n}/boxes"): "/documents/{document}/pages/1/boxes?start=0&end=9",
    ("PATCH", "/documents/{id}"): "/documents/{document}",
    ("GET", "/jobs/{id}"): "/jobs/{job}",
    ("GET", "/jobs/{id}/events"): "/jobs/{job}/events",
    ("DELETE", "/jobs/{id}"): "/jobs/{job}",
    ("POST", "/queries/{id}/feedback"): "/queries/{query}/feedback",
    ("DELETE", "/documents/{id}"): "/documents/{document}",
}
# A text document has none.
WITHOUT_PAGES = {("GET", "/documents/{id}/pages/{n}.png"), ("GET", "/documents/{id}/pages/{n}/boxes")}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/documents/{id}"): {"metadata": {"level": 2, "groups": ["a,b"], "seen": True}},
    ("POST", "/queries/{id}/feedback"): {"vote": "up"},
}
# What shows documents, their texts or what was done with them.
SHOWS: dict[tuple[str, str], dict[str, Any] | None] = {
    ("GET", "/documents"): None,
    ("GET", "/jobs"): None,
    ("GET", "/queries"): None,
    ("GET", "/map"): None,
    ("POST", "/map/place"): {"input": ASKED, "top_k": 10},
    ("POST", "/search"): {"input": ASKED, "explain": True},
    ("POST", "/query"): {"input": ASKED, "explain": True, "top_k": 10},
    ("POST", "/v1/chat/completions"): {"model": "default", "messages": [{"role": "user", "content": ASKED}]},
    ("POST", "/v1/completions"): {"model": "default", "prompt": ASKED},
    ("POST", "/v1/responses"): {"model": "default", "input": ASKED},
}
STREAMED = {
    ("POST", "/query"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/responses"),
}
# What shows nothing of documents, or is told of the whole tenant: a bound key uses it.
OF_THE_TENANT = [
    ("GET", "/prompts"), ("GET", "/adapters"), ("GET", "/adapters/activations"), ("GET", "/collections"),
    ("GET", "/usage"), ("GET", "/v1/models"), ("GET", "/limits"), ("GET", "/whoami"), ("GET", "/evaluations"),
    ("GET", "/collections/{id}"),
]  # fmt: skip
CHANGES_THE_TENANT = [
    ("POST", "/collections"), ("PATCH", "/collections/{id}"), ("DELETE", "/collections/{id}"),
    ("PUT", "/prompts/{name}"), ("DELETE", "/prompts/{name}"), ("POST", "/prompts/{name}/activate"),
    ("POST", "/prompts/deactivate"),
    ("POST", "/adapters"), ("DELETE", "/adapters/{name}"), ("POST", "/adapters/{name}/activate"),
    ("POST", "/adapters/rollback"), ("POST", "/adapters/deactivate"), ("POST", "/tune"), ("DELETE", "/tune/{id}"),
    ("GET", "/webhooks"), ("POST", "/webhooks"), ("DELETE", "/webhooks/{id}"), ("GET", "/webhooks/{id}/deliveries"),
]  # fmt: skip
# Tested below, each in a test of its own, or nothing of documents is in it.
BY_THEMSELVES = [
    ("POST", "/ingest"), ("POST", "/documents/rechunk"), ("GET", "/audit"), ("POST", "/evaluations"),
    ("GET", "/evaluations/{id}"), ("DELETE", "/evaluations/{id}"), ("POST", "/collections/{id}/documents"),
]  # fmt: skip
WITHOUT_DOCUMENTS = [
    ("GET", "/prompts/{name}"), ("GET", "/v1/models/{id}"), ("GET", "/adapters/{name}"),
    ("POST", "/adapters/{name}/evaluate"), ("GET", "/adapters/{name}/evaluations"), ("GET", "/jobs/{id}/loss.png"),
    ("POST", "/v1/embeddings"),
]  # fmt: skip
ALL_SCOPES = ["query", "read", "ingest", "adapters"]
NewKey = Callable[..., Awaitable[httpx.AsyncClient]]


@dataclass
class World:
    whole: httpx.AsyncClient
    slug: str
    keys: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)

    def path(self, route: str, name: str) -> str:
        known = {"document": name, "job": self.jobs.get(name, "job_none"), "query": self.queries.get(name, "qry_none")}
        return route.format(**known, id="default", name="default")


@pytest.fixture(scope="module")
def new_key(anonymous) -> NewKey:
    """Makes a key of a tenant, bound to a part; gives a client that sends it."""

    async def make(
        slug: str, only: dict[str, Any] | None, scopes: list[str] = ALL_SCOPES, **more: Any
    ) -> httpx.AsyncClient:
        body = {"scopes": scopes, "only": only, **more}
        made = await anonymous.post(f"/tenants/{slug}/keys", json=body, headers=OPERATOR)
        assert made.status_code == 201, made.text
        assert made.json()["only"] == only
        own = {"Authorization": f"Bearer {made.json()['key']}"}
        client = httpx.AsyncClient(transport=anonymous._transport, base_url="http://kyujang", headers=own, timeout=120)
        client.headers["x-key-id"] = made.json()["id"]
        return client

    return make


async def acting(new_key: NewKey, slug: str, only: Any, headers: dict[str, str]) -> httpx.AsyncClient:
    client = await new_key(slug, only, [*ALL_SCOPES, "delegate"], groups="metadata.groups")
    client.headers.update(headers)
    return client


async def filled(new_tenant: NewTenant, new_key: NewKey, services: Services) -> World:
    slug = f"parts-{secrets.token_hex(4)}"
    whole = await new_tenant(slug, tuple(ALL_SCOPES))
    await query_log.set_days(services.database, slug, 30)
    world = World(await new_key(slug, None), slug)
    assert (await whole.post("/collections", json={"id": "hr"})).status_code == 201
    # One of the keys is there before the documents, the other one comes later.
    world.keys["hr"] = await new_key(slug, ONLY["hr"])
    for name, text in TEXTS.items():
        collection = "hr" if name in SEEN["hr"] else "default"
        metadata = {"level": 1 if name in SEEN["low"] else 3, "groups": GROUPS[name]}
        about = {"metadata": metadata, "collection": collection}
        world.jobs[name] = (await ingest_text(whole, text, id=name, source=f"{BIRDS[name]}.txt", **about))["id"]
        asked = {"input": ASKED, "filters": {"key": "document_id", "op": "eq", "value": name}}
        world.queries[name] = (await whole.post("/query", json=asked)).json()["id"]
    world.keys["low"] = await new_key(slug, ONLY["low"])
    world.keys["team"] = await acting(new_key, slug, ONLY["low"], TEAM)
    assert await logged_documents(whole) == set(TEXTS)
    return world


@pytest.fixture(scope="module")
async def world(new_tenant, new_key, services) -> World:
    made = await filled(new_tenant, new_key, services)
    # A worker makes the map, for whoever asks first.
    while (await made.keys["low"].get("/map")).json()["status"] == "computing":
        await asyncio.sleep(0.1)
    return made


@pytest.fixture
async def fresh(new_tenant, new_key, services) -> World:
    """A tenant for a test that changes something."""
    return await filled(new_tenant, new_key, services)


async def logged_documents(client: httpx.AsyncClient) -> set[str]:
    """The documents of the logged queries, which are written behind the answers."""
    found: set[str] = set()
    for _ in range(200):
        rows = (await client.get("/queries")).json()["data"]
        found = {context["document_id"] for row in rows for context in row["contexts"]}
        if len(found) == len(TEXTS):
            break
        await asyncio.sleep(0.05)
    return found


def test_no_route_is_left_out(settings):
    walked = [*BY_ID, *SHOWS, *OF_THE_TENANT, *CHANGES_THE_TENANT, *BY_THEMSELVES, *WITHOUT_DOCUMENTS]
    assert len(walked) == len(set(walked))
    assert routes(settings) | {("GET", path) for path in OPEN & {"/limits"}} == set(walked)


@pytest.mark.parametrize("part", ["hr", "low"])
@pytest.mark.parametrize(("method", "route"), BY_ID)
async def test_an_id_inside_is_there_and_one_outside_is_unknown(fresh, part, method, route):
    await walk(fresh, part, method, route)


async def test_an_id_of_the_groups_is_there_and_one_outside_is_unknown(fresh):
    """By each route, one after the other: documents are deleted at the end."""
    for method, route in BY_ID:
        await walk(fresh, "team", method, route)


async def walk(fresh: World, part: str, method: str, route: str) -> None:
    client, body = fresh.keys[part], BODIES.get((method, route))
    if (method, route) == ("PATCH", "/documents/{id}") and part == "hr":
        body = {"title": "A plan"}
    template = BY_ID[method, route]
    nothing = await client.request(method, template.format(document="no", job="job_no", query="qry_no"), json=body)
    for name in TEXTS.keys() - SEEN[part]:
        outside = await client.request(method, fresh.path(template, name), json=body)
        assert outside.status_code == nothing.status_code == 404
        assert without_request_id(outside) == without_request_id(nothing)
    for name in SEEN[part]:
        inside = await client.request(method, fresh.path(template, name), json=body)
        if (method, route) in WITHOUT_PAGES:
            assert without_request_id(inside) != without_request_id(nothing)
        else:
            assert inside.is_success, inside.text


@pytest.mark.parametrize("part", SEEN)
@pytest.mark.parametrize(("method", "route"), SHOWS)
async def test_what_is_inside_shows_and_what_is_outside_does_not(world, part, method, route):
    body = SHOWS[method, route]
    shown = await world.keys[part].request(method, route, json=body)
    assert shown.is_success, shown.text
    seen = {name for name in TEXTS if BIRDS[name] in shown.text or world.jobs[name] in shown.text}
    assert seen <= SEEN[part]
    assert seen if route.startswith(("/query", "/v1")) and method == "POST" else seen == SEEN[part]
    if (method, route) in STREAMED:
        streamed = await world.keys[part].request(method, route, json={**(body or {}), "stream": True})
        seen = {name for name in TEXTS if BIRDS[name] in streamed.text}
        assert seen
        assert seen <= SEEN[part]


@pytest.mark.parametrize("part", SEEN)
async def test_pages_and_counts_are_of_the_part(world, part):
    client, ids, cursor = world.keys[part], [], None
    while True:
        page = (await client.get("/documents", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
        ids += [document["id"] for document in page["data"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(ids) == sorted(SEEN[part])
    shelf = (await client.get("/map")).json()
    assert shelf["chunks"] == len(shelf["points"]["x"]) == len(SEEN[part])
    for mode in ("dense", "lexical", "hybrid"):
        found = (await client.post("/search", json={"input": ASKED, "top_k": 50, "mode": mode})).json()["contexts"]
        assert {context["document_id"] for context in found} == SEEN[part], mode


@pytest.mark.parametrize("part", ONLY)
async def test_ranks_and_scores_are_those_of_the_same_filter(world, part):
    for mode in ("dense", "lexical", "hybrid"):
        asked = {"input": ASKED, "top_k": 50, "mode": mode}
        bound, filtered = [
            (await client.post("/search", json={**asked, **more})).json()["contexts"]
            for client, more in ((world.keys[part], {}), (world.whole, {"filters": ONLY[part]}))
        ]
        assert bound == filtered != [], mode


@pytest.mark.parametrize("part", SEEN)
@pytest.mark.parametrize(("method", "route"), OF_THE_TENANT)
async def test_what_is_the_tenants_is_read(world, part, method, route):
    shown = await world.keys[part].request(method, world.path(route, "none"))
    assert shown.is_success, shown.text
    assert not any(bird in shown.text for bird in BIRDS.values())


@pytest.mark.parametrize(("method", "route"), CHANGES_THE_TENANT)
async def test_what_is_the_tenants_is_not_changed(world, method, route):
    for key in ("hr", "team"):
        body = {} if method != "GET" else None
        refused = await world.keys[key].request(method, world.path(route, "none"), json=body)
        assert refused.status_code == 403
        assert "bound to a part" in refused.json()["detail"]


async def test_a_bound_key_writes_inside_its_part_alone(fresh):
    low = fresh.keys["low"]

    async def send(**document: Any) -> httpx.Response:
        return await low.post("/ingest?wait=60", json={"documents": [{"text": "A memo.", **document}]})

    assert (await send(id="memo", metadata={"level": 1})).json()["status"] == "succeeded"
    assert (await low.get("/documents/memo")).status_code == 200
    assert (await send(id="memo", metadata={"level": 1})).json()["status"] == "succeeded"
    for outside in ({"id": "other", "metadata": {"level": 3}}, {"id": "memo", "metadata": {}}, {"id": "more"}):
        refused = await send(**outside)
        assert (refused.status_code, refused.json()["code"]) == (422, "outside_part")
    taken = await send(id="hr", metadata={"level": 1})
    assert (taken.status_code, taken.json()["code"]) == (409, "id_in_use")
    assert (await fresh.whole.get("/documents/hr/text", headers={"accept": "text/plain"})).text == TEXTS["hr"]
    moved = await low.patch("/documents/memo", json={"metadata": {"level": 9}})
    assert (moved.status_code, moved.json()["code"]) == (422, "outside_part")
    assert (await low.get("/documents/memo")).json()["metadata"] == {"level": 1}


async def test_the_same_content_has_an_id_of_its_own_in_a_part(fresh):
    sent = {"documents": [{"text": "The same.", "metadata": {"level": 1}}]}
    ids = [
        (await client.post("/ingest?wait=60", json=sent)).json()["documents"][0]["id"]
        for client in (fresh.whole, fresh.keys["low"])
    ]
    assert ids[0] != ids[1]
    assert ids[1].startswith("doc_p")


async def test_an_idempotency_key_is_of_its_api_key(fresh):
    sent = {"documents": [{"id": "once", "text": "Once.", "metadata": {"level": 1}, "collection": "hr"}]}
    made = [
        await client.post("/ingest", json=sent, headers={"Idempotency-Key": "same"})
        for client in (fresh.keys["hr"], fresh.keys["low"], fresh.keys["low"])
    ]
    ids = [answer.json()["id"] for answer in made]
    assert ids[0] != ids[1] == ids[2]


async def test_a_document_moves_between_parts_at_once(fresh):
    hr, low, whole = fresh.keys["hr"], fresh.keys["low"], fresh.whole

    async def seen() -> list[bool]:
        listed = [(await client.get("/documents?q=none")).json()["data"] != [] for client in (hr, low)]
        found = [
            "Osprey" in (await client.post("/search", json={"input": "Osprey", "mode": "lexical"})).text
            for client in (hr, low)
        ]
        job = [(await client.get(f"/jobs/{fresh.jobs['none']}")).is_success for client in (hr, low)]
        assert listed == found == job
        return listed

    assert await seen() == [False, False]
    await whole.patch("/documents/none", json={"metadata": {"level": 0}})
    assert await seen() == [False, True]
    await whole.patch("/documents/none", json={"collection": "hr"})
    assert await seen() == [True, True]
    which = {"filters": {"key": "document_id", "op": "eq", "value": "none"}}
    assert (await whole.post("/collections/default/documents", json=which)).json()["moved"] == 1
    assert await seen() == [False, True]
    await ingest_text(whole, TEXTS["none"], id="none", metadata={"level": 7})
    assert await seen() == [False, False]


async def test_many_documents_move_inside_the_part_or_none_does(fresh):
    hr, low = fresh.keys["hr"], fresh.keys["low"]
    every = {"filters": {"not": {"key": "document_id", "op": "eq", "value": "nothing"}}}
    refused = await hr.post("/collections/default/documents", json=every)
    assert (refused.status_code, refused.json()["code"]) == (422, "outside_part")
    assert (await low.post("/collections/hr/documents", json=every)).json() == {"moved": 1}

    async def placed() -> dict[str, str]:
        return {each["id"]: each["collection"] for each in (await fresh.whole.get("/documents")).json()["data"]}

    assert await placed() == {"hr": "hr", "both": "hr", "low": "hr", "none": "default"}
    assert {each["id"] for each in (await hr.get("/documents")).json()["data"]} == {"hr", "both", "low"}
    assert (await fresh.keys["team"].post("/collections/default/documents", json=every)).json() == {"moved": 2}
    assert await placed() == {"hr": "hr", "both": "default", "low": "default", "none": "default"}


async def test_a_key_is_bound_anew_without_another_secret(fresh, anonymous):
    low = fresh.keys["low"]
    path = f"/tenants/{fresh.slug}/keys/{low.headers['x-key-id']}"
    for only, seen in ((ONLY["hr"], SEEN["hr"]), (None, set(TEXTS)), (ONLY["low"], SEEN["low"])):
        changed = await anonymous.patch(path, json={"only": only}, headers=OPERATOR)
        assert changed.json()["only"] == only
        assert {each["id"] for each in (await low.get("/documents")).json()["data"]} == seen
        assert (await low.get("/whoami")).json()["only"] == only
    assert (await anonymous.patch(path, json={"limits": {}}, headers=OPERATOR)).json()["only"] == ONLY["low"]


async def test_a_rechunk_job_is_of_the_part(fresh, services, monkeypatch):
    monkeypatch.setattr("app.storage.rechunking.IS_OUTDATED", "%(loaders)s::jsonb is not null")
    job = (await fresh.keys["hr"].post("/documents/rechunk?wait=60", json={})).json()
    assert job["counts"]["total"] == len(SEEN["hr"])
    assert (await fresh.keys["low"].get(f"/jobs/{job['id']}")).json()["counts"]["total"] == 1


async def test_the_trail_shows_a_bound_key_what_it_did_itself(fresh):
    low = fresh.keys["low"]
    await fresh.whole.delete("/documents/none")
    await low.delete("/documents/low")
    shown = (await low.get("/audit")).json()["data"]
    assert [(entry["act"], entry["object"]) for entry in shown] == [("delete", "low")]
    assert (await low.get("/audit?actor=operator")).json()["data"] == []


async def test_an_evaluation_is_answered_from_the_part(fresh):
    low = fresh.keys["low"]
    made = (await low.post("/evaluations?wait=60", json={"cases": [{"input": ASKED}]})).json()
    assert made.get("id"), made
    report = await low.get(f"/evaluations/{made['id']}")
    assert report.is_success
    assert not any(BIRDS[name] in report.text for name in TEXTS.keys() - SEEN["low"])
    assert (await fresh.keys["hr"].get(f"/evaluations/{made['id']}")).status_code == 404
    assert made["id"] not in (await fresh.keys["hr"].get("/evaluations")).text
    assert (await fresh.keys["hr"].delete(f"/evaluations/{made['id']}")).status_code == 404
