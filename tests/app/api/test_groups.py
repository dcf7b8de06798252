"""Keys that act for groups: what each request sees is what its groups may, and never more than the key."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from app.main import create_app
from app.storage import parts
from tests.conftest import ADMIN_KEY, ingest_text
from tests.issuer import issuing

pytestmark = pytest.mark.usefixtures("worker")

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
SCOPES = ["query", "read", "ingest", "adapters", "delegate"]
HELD: dict[str, dict[str, Any]] = {
    "hr": {"level": 1, "groups": ["인사", "hr"]},
    "sales": {"level": 1, "groups": ["sales"]},
    "board": {"level": 3, "groups": ["hr", "sales", "board"]},
    "text": {"level": 1, "groups": "hr"},
    "bare": {"level": 1},
}


async def made(anonymous, slug: str, **body: Any) -> dict[str, Any]:
    sent = {"scopes": SCOPES, "groups": "metadata.groups"} | body
    return (await anonymous.post(f"/tenants/{slug}/keys", json=sent, headers=OPERATOR)).json()


@pytest.fixture(scope="module")
async def tenant_with_documents(new_tenant):
    slug = f"groups-{secrets.token_hex(4)}"
    whole = await new_tenant(slug, ("query", "read", "ingest", "adapters"))
    for name, metadata in HELD.items():
        await ingest_text(whole, f"The plan of {name} is kept in the drawer of {name}.", id=name, metadata=metadata)
    return slug, whole


@pytest.fixture(scope="module")
async def client(anonymous, tenant_with_documents):
    """Sends a key that acts for groups: those that `acts` names are headers of each request."""
    key = (await made(anonymous, tenant_with_documents[0]))["key"]
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=anonymous._transport, base_url="http://kyujang", headers=headers, timeout=120)


def acts(*names: str) -> dict[str, Any]:
    return {"headers": {"Kyujang-Groups": ",".join(quote(name, safe="") for name in names)}}


async def seen(client, *names: str) -> set[str]:
    return {each["id"] for each in (await client.get("/documents", **acts(*names))).json()["data"]}


async def test_a_request_sees_what_one_of_its_groups_may(client):
    assert await seen(client, "인사") == {"hr"}
    assert await seen(client, "hr") == {"hr", "board"}
    assert await seen(client, "hr", "sales") == {"hr", "sales", "board"}
    for mode in ("dense", "lexical", "hybrid"):
        asked = {"input": "Where is the plan kept?", "mode": mode, "top_k": 10}
        found = (await client.post("/search", json=asked, **acts("인사", "sales", "nobody"))).json()["contexts"]
        assert sorted(each["document_id"] for each in found) == ["board", "hr", "sales"], mode
    shown = (await client.get("/whoami", **acts("인사", "a"))).json()
    assert (shown["groups"], shown["only"]) == ({"listed_in": "metadata.groups", "names": ["a", "인사"]}, None)


async def test_groups_that_no_document_names_see_nothing_and_make_no_part(client, tenant_with_documents, owner_url):
    def count() -> int:
        with psycopg.connect(owner_url) as owner:
            query = "select count(*) from parts p join tenants t on t.id = p.tenant_id where t.slug = %s"
            return owner.execute(query, [tenant_with_documents[0]]).fetchone()[0]

    before = count()
    for names in ((), ("nobody", "none"), ("HR",)):
        assert await seen(client, *names) == set()
        asked = await client.post("/query", json={"input": "Where is the plan of hr kept?"}, **acts(*names))
        assert (asked.json()["finish_reason"], asked.json()["contexts"]) == ("no_answer", [])
        task = await client.post("/evaluations", json={"cases": [{"input": "Where?"}]}, **acts(*names))
        assert (task.status_code, task.json()["code"]) == (422, "outside_part")
    assert count() == before


async def test_a_key_sees_no_more_than_its_own_part(anonymous, client, tenant_with_documents):
    slug, _ = tenant_with_documents
    key = await made(anonymous, slug, only={"key": "metadata.level", "op": "lte", "value": 1})
    assert key["groups"] == "metadata.groups"
    own = {"Authorization": f"Bearer {key['key']}"}
    listed = await anonymous.get("/documents", headers=own | acts("hr", "sales", "board")["headers"])
    assert {each["id"] for each in listed.json()["data"]} == {"hr", "sales"}
    # Revoked, it takes its part along; those of groups stay for a while.
    assert (await anonymous.delete(f"/tenants/{slug}/keys/{key['id']}", headers=OPERATOR)).status_code == 204
    assert await seen(client, "hr") == {"hr", "board"}


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ([], 403, "acts for groups"),
        (["hr", "sales"], 422, "more than once"),
        (["인사".encode()], 422, "percent-encoded"),
        (["%FF"], 422, "percent-encoded"),
        (["%4"], 422, "percent-encoded"),
        (["h%0Ar"], 422, "control character"),
        (["h" * 201], 422, "200 characters"),
        ([",".join(map(str, range(101)))], 422, "more than 100"),
    ],
)
async def test_a_header_that_is_none_is_refused(client, headers, status, said):
    for path in ("/documents", "/whoami", "/limits"):
        refused = await client.get(path, headers=[("Kyujang-Groups", each) for each in headers])
        assert (refused.status_code, said in refused.text) == (status, True), refused.text


async def test_only_a_key_that_acts_for_groups_may_name_them(tenant_with_documents, client):
    _, whole = tenant_with_documents
    refused = await whole.get("/documents", **acts("hr"))
    assert (refused.status_code, "'delegate'" in refused.json()["detail"]) == (403, True)
    assert (await client.get("/audit", **acts("hr"))).status_code == 403


async def test_a_document_is_seen_as_soon_as_it_names_a_group(client, tenant_with_documents):
    _, whole = tenant_with_documents
    await ingest_text(whole, "A late memo.", id="late", metadata={})
    assert await seen(client, "late") == set()
    for groups, found in ((["late"], {"late"}), ([], set()), (["late"], {"late"})):
        assert (await whole.patch("/documents/late", json={"metadata": {"groups": groups}})).is_success
        assert await seen(client, "late") == found


async def test_it_writes_where_its_groups_see(client):
    async def send(*names: str, key: str = secrets.token_hex(4), **document: Any) -> httpx.Response:
        sent = {"documents": [{"text": "A note.", **document}]}
        headers = acts(*names)["headers"] | {"Idempotency-Key": key}
        return await client.post("/ingest?wait=60", json=sent, headers=headers)

    mine = {"id": "note", "metadata": {"groups": ["writers"]}}
    assert (await send("writers", "more", **mine)).json()["status"] == "succeeded"
    # Another's request with the same key is another request.
    assert (await send("readers", **mine)).json()["code"] == "id_in_use"
    assert (await send("writers", key="2", metadata={"groups": ["board"]})).json()["code"] == "outside_part"
    assert await seen(client, "writers") == {"note"}
    again = {"text": "The same.", "metadata": {"groups": ["writers", "readers"]}}
    ids = {
        (await send(*names, key=names[0] + "3", **again)).json()["documents"][0]["id"]
        for names in (("writers",), ("readers",), ("readers", "writers"))
    }
    assert len(ids) == 3
    moved = await client.patch("/documents/note", json={"metadata": {"groups": ["board"]}}, **acts("writers"))
    assert (moved.status_code, moved.json()["code"]) == (422, "outside_part")


async def test_an_evaluation_is_of_those_who_see_all_that_it_was_answered_from(client):
    body = {"cases": [{"input": "Where is the plan kept?"}]}
    job = (await client.post("/evaluations?wait=60", json=body, **acts("hr", "sales"))).json()["id"]
    for names, status in ((("hr",), 404), (("sales", "board"), 404), (("sales", "hr", "board"), 200), ((), 404)):
        assert (await client.get(f"/evaluations/{job}", **acts(*names))).status_code == status
        assert (await client.get(f"/jobs/{job}", **acts(*names))).status_code == status
        assert (job in (await client.get("/evaluations", **acts(*names))).text) == (status == 200)
    assert (await client.delete(f"/jobs/{job}", **acts("hr"))).status_code == 404


async def test_parts_of_groups_are_bounded_and_go_when_they_are_not_used(
    client, tenant_with_documents, owner_url, monkeypatch
):
    slug, whole = tenant_with_documents
    assert await seen(client, "board") == {"board"}
    for name in ("one", "two"):
        await ingest_text(whole, "A memo.", id=name, metadata={"groups": [name]})
    with psycopg.connect(owner_url) as owner:
        query = (
            "update parts set used_on = current_date - %s where tenant_id = (select id from tenants where slug = %s)"
        )
        owner.execute(query, [parts.KEPT_DAYS + 1, slug])
    # One that is used again stays; the others go when the next is made.
    assert await seen(client, "board") == {"board"}
    monkeypatch.setattr(parts, "MAX_PARTS", 2)
    assert await seen(client, "one") == {"one"}
    refused = await client.get("/documents", **acts("two"))
    assert (refused.status_code, "at most 2 parts" in refused.json()["detail"]) == (409, True)
    assert await seen(client, "board") == {"board"}


async def test_requests_at_once_make_one_part(client, tenant_with_documents):
    await ingest_text(tenant_with_documents[1], "A memo.", id="once", metadata={"groups": ["x", "y", "z"]})
    found = await asyncio.gather(*(seen(client, *names) for names in ("xyz", "zyx", "yz", "zx") for _ in range(2)))
    assert all(each == {"once"} for each in found)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"groups": None}, "go together"),
        ({"scopes": ["query"]}, "go together"),
        ({"scopes": ["delegate"]}, "opens nothing"),
        ({"groups": "source"}, "metadata."),
        ({"groups": "metadata."}, "metadata."),
    ],
)
async def test_a_key_that_could_act_for_nobody_is_not_made(anonymous, tenant_with_documents, body, said):
    problem = await made(anonymous, tenant_with_documents[0], **body)
    assert (problem["status"], said in str(problem)) == (422, True), problem


async def test_a_key_goes_by_another_list_from_the_next_request_on(anonymous, tenant_with_documents):
    slug, whole = tenant_with_documents
    await ingest_text(whole, "A memo of the team.", id="teams", metadata={"teams": ["hr"]})
    key = await made(anonymous, slug)
    headers = {"Authorization": f"Bearer {key['key']}", "Kyujang-Groups": "hr"}
    path = f"/tenants/{slug}/keys/{key['id']}"
    for listed_in, ids in (("metadata.teams", {"teams"}), ("metadata.groups", {"hr", "board"})):
        changed = await anonymous.patch(path, json={"groups": listed_in}, headers=OPERATOR)
        assert (changed.json()["groups"], changed.json()["only"]) == (listed_in, None)
        assert {each["id"] for each in (await anonymous.get("/documents", headers=headers)).json()["data"]} == ids
    entry = (await anonymous.get("/audit", headers=OPERATOR, params={"object": key["id"]})).json()["data"][0]
    assert (entry["before"], entry["after"]) == ({"groups": "metadata.teams"}, {"groups": "metadata.groups"})
    for body in ({"groups": None}, {"groups": "source"}):
        assert (await anonymous.patch(path, json=body, headers=OPERATOR)).status_code == 422
    other = await made(anonymous, slug, scopes=["query"], groups=None)
    refused = await anonymous.patch(
        f"/tenants/{slug}/keys/{other['id']}", json={"groups": "metadata.groups"}, headers=OPERATOR
    )
    assert (refused.status_code, "'delegate'" in refused.json()["detail"]) == (422, True)


async def test_a_token_sees_what_its_groups_may(services, tenant_with_documents):
    slug, _ = tenant_with_documents
    async with issuing() as issuer:
        own = services.settings.model_copy(
            update={"oidc_issuer": issuer.url, "oidc_audience": "kyujang", "oidc_groups_claim": "groups",
                    "private_networks": "127.0.0.1/32"}
        )  # fmt: skip
        app = create_app(own)
        app.state.services = dataclasses.replace(services, settings=own)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang") as http:
            for groups, ids in ((["인사"], {"hr"}), (["sales", "인사"], {"hr", "sales", "board"}), ([], set())):
                headers = {"Authorization": f"Bearer {issuer.token(tenant=slug, groups=groups)}"}
                assert {each["id"] for each in (await http.get("/documents", headers=headers)).json()["data"]} == ids
                refused = await http.get("/documents", headers=headers | {"Kyujang-Groups": "board"})
                assert refused.status_code == 403
            headers = {"Authorization": f"Bearer {issuer.token(tenant=slug)}"}
            assert (await http.get("/documents", headers=headers)).status_code == 401
