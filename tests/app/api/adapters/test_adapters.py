"""Adapters over HTTP: sent, checked by the real worker, switched, rolled back, deleted."""

from __future__ import annotations

import pytest

from ingest.cleanup import remove_noted
from ingest.jobs import queue
from tests.app.api.adapters.sending import FEW, SCOPES, good, ready, send
from tests.conftest import NewTenant
from tests.ingest.adapters.made import config, files, tar_gz, tensors, zipped
from tests.ingest.working import Worker

pytestmark = pytest.mark.usefixtures("no_open_tasks")


async def test_an_adapter_is_accepted_and_checked(client, services):
    answer = await send(client)
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == "/adapters/tone?version=1"
    assert (body["name"], body["version"], body["status"], body["active"]) == ("tone", 1, "checking", False)
    assert "engine_name" not in body
    assert "blob" not in body
    async with Worker(services):
        bad = await send(client, tar_gz(files(tensors(layers=FEW), config(use_dora=True))), params={"wait": 60})
    assert bad.status_code == 200
    assert (bad.json()["status"], bad.json()["version"]) == ("rejected", 2)
    assert (bad.json()["checks"][-1]["name"], bad.json()["checks"][-1]["ok"]) == ("method", False)
    assert "DoRA" in bad.json()["error_detail"]


async def test_a_zip_will_do_and_the_same_bytes_are_the_same_version(client):
    archive = zipped(files(tensors(layers=FEW)))
    first, again = await send(client, archive), await send(client, archive)
    assert first.json() == again.json()
    assert (await send(client, good(1))).json()["version"] == 2


async def test_a_request_that_comes_twice(client):
    headers, archive = {"Idempotency-Key": "tone-1"}, good()
    first = await send(client, archive, headers=headers)
    await send(client, good(1))
    again = await send(client, archive, headers=headers)
    assert again.json()["version"] == first.json()["version"] == 1
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert (await send(client, good(2), headers=headers)).status_code == 422


async def test_too_large_names_the_limit(client):
    answer = await send(client, bytes(9 << 20))
    assert answer.status_code == 413
    assert "8 MB" in answer.json()["detail"]
    assert "KYUJANG_MAX_ADAPTER_MB" in answer.json()["detail"]


async def test_limits_are_published(client):
    limits = (await client.get("/limits")).json()
    assert (limits["max_adapter_bytes"], limits["max_lora_rank"], limits["max_evaluation_cases"]) == (8 << 20, 32, 500)


async def test_without_an_engine_it_is_a_conflict_that_says_what_to_do(new_tenant: NewTenant):
    client = await new_tenant(scopes=SCOPES)
    answer = await send(client)
    assert answer.status_code == 409
    assert "KYUJANG_ENGINE" in answer.json()["detail"]


BAD_FORMS = {
    "no name": ({}, {"file": b"x"}, "/name"),
    "no file": ({"name": "tone"}, {}, None),
    "a text as file": ({"file": "x"}, {"name": b"x"}, "/name"),
    "an unknown field": ({"colour": "x"}, {"file": b"x"}, "/colour"),
    "an odd name": ({"name": "../tone"}, {"file": b"x"}, "/name"),
    "two hyphens": ({"name": "a--b"}, {"file": b"x"}, "/name"),
    "a reserved name": ({"name": "none"}, {"file": b"x"}, "/name"),
    "a name in Korean": ({"name": "말투"}, {"file": b"x"}, "/name"),
}


@pytest.mark.parametrize("case", BAD_FORMS)
async def test_a_bad_form_is_refused_and_leaves_nothing(client, services, number, case):
    data, sent, pointer = BAD_FORMS[case]
    answer = await client.post("/adapters", data=data, files=sent)
    assert answer.status_code == (422 if pointer else 415), answer.text
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer
    folder = services.settings.blobs / str(number)
    assert not folder.exists() or list(folder.iterdir()) == []


async def test_activate_roll_back_deactivate_and_the_trail(client, services, number):
    await ready(services, number, versions=2)
    for version in (1, 2):
        answer = await client.post("/adapters/tone/activate", json={"version": version})
        assert (answer.status_code, answer.json()["active"]) == (200, True)
    assert (await client.get("/adapters/tone")).json()["version"] == 2
    assert (await client.get("/adapters/tone?version=1")).json()["active"] is False
    assert (await client.post("/adapters/rollback")).json()["active"]["version"] == 1
    assert (await client.post("/adapters/rollback")).json() == {"active": None}
    nothing = await client.post("/adapters/rollback")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "conflict")
    await client.post("/adapters/tone/activate", json={"version": 2})
    assert (await client.post("/adapters/deactivate")).status_code == 204
    key_id = client.headers["authorization"].split("_")[1]
    first = (await client.get("/adapters/activations?limit=3")).json()
    rest = (await client.get("/adapters/activations", params={"cursor": first["next_cursor"]})).json()
    trail = [*first["data"], *rest["data"]]
    assert [line["action"] for line in trail] == [
        "deactivate", "activate", "rollback", "rollback", "activate", "activate"
    ]  # fmt: skip
    assert [line["version"] for line in trail] == [None, 2, None, 1, 2, 1]
    assert {line["by"] for line in trail} == {key_id}


async def test_only_what_is_ready_is_activated_and_evaluated(client):
    await send(client)
    cases = {"cases": [{"input": "When?"}]}
    for path, body in (("activate", {"version": 1}), ("evaluate", cases)):
        refused = await client.post(f"/adapters/tone/{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


async def test_deletion(client, services, number):
    await ready(services, number, versions=3)
    await client.post("/adapters/tone/activate", json={"version": 2})
    for path in ("/adapters/tone", "/adapters/tone?version=2"):
        refused = await client.delete(path)
        assert refused.status_code == 409
        assert "rollback" in refused.json()["detail"]
    assert (await client.delete("/adapters/tone?version=1")).status_code == 204
    assert (await client.get("/adapters/tone?version=1")).status_code == 404
    await client.post("/adapters/deactivate")
    assert (await client.delete("/adapters/tone")).status_code == 204
    assert (await client.get("/adapters/tone")).status_code == 404
    assert (await send(client)).json()["version"] == 4


async def test_a_deleted_archive_that_waits_is_removed(client, services, number):
    await send(client)
    assert len(list((services.settings.blobs / str(number)).iterdir())) == 1
    await client.delete("/adapters/tone")
    await remove_noted(services)
    assert list((services.settings.blobs / str(number)).iterdir()) == []
    assert await queue.claim(services.database, "w", "check", lease_s=9) is None


async def test_pages(client, services, number):
    await ready(services, number, "b", versions=3)
    await ready(services, number, "a")
    found, cursor = [], None
    while True:
        page = (await client.get("/adapters", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        found += [(each["name"], each["version"]) for each in page["data"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert found == [("a", 1), ("b", 3), ("b", 2), ("b", 1)]
    assert (await client.get("/adapters?cursor=WyJhIiwgImIiXQ==")).status_code == 422


async def test_scopes(make, services):
    reader, writer = await make("query"), await make("adapters")
    assert (await send(reader)).status_code == 403
    assert (await send(writer)).status_code == 202
    for path in ("/adapters", "/adapters/activations"):
        assert (await reader.get(path)).status_code == (await writer.get(path)).status_code == 200
    for method, path in (
        ("POST", "/adapters/deactivate"),
        ("POST", "/adapters/rollback"),
        ("DELETE", "/adapters/tone"),
    ):
        assert (await reader.request(method, path)).status_code == 403
    assert (await writer.post("/search", json={"input": "x"})).status_code == 403
    ingest_only = await make("ingest")
    job = (await ingest_only.post("/ingest", json={"documents": [{"text": "x"}]})).json()["id"]
    assert (await ingest_only.delete(f"/jobs/{job}")).status_code == 200


async def test_one_tenant_s_name_is_not_another_s(make):
    mine, theirs = await make(), await make()
    assert (await send(mine)).json()["version"] == (await send(theirs)).json()["version"] == 1
    assert (await theirs.delete("/adapters/tone")).status_code == 204
    assert (await mine.get("/adapters/tone")).status_code == 200
    assert (await theirs.get("/adapters")).json()["data"] == []
    assert (await theirs.post("/adapters/rollback")).status_code == 409
