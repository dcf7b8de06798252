"""Stored prompts over HTTP: versions, activation, rollback; and what of them a question gets to see."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import ingest_text

TEXT = "The reading room opens at nine. It is closed on Mondays. 열람실은 월요일에 쉰다."
QUESTION = {"input": "When does the reading room open?", "dry_run": True}


@pytest.fixture(scope="module")
async def shelf(tenant, worker):
    await ingest_text(tenant, TEXT, id="hours")
    return tenant


@pytest.fixture
async def own(new_tenant):
    return await new_tenant()


async def put(client, name, **elements):
    answer = await client.put(f"/prompts/{name}", json=elements)
    assert answer.is_success, answer.text
    return answer


async def system_of(client, **fields):
    answer = await client.post("/query", json={**QUESTION, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["messages"][0]["content"], answer.json()["prompt"]


async def test_each_put_is_a_version_unless_it_says_the_same(own):
    first = await put(own, "clerk", persona="친절한 사서", sampling={"temperature": 0.3, "max_tokens": 50})
    again = await put(own, "clerk", persona="친절한 사서", sampling={"temperature": 0.3, "max_tokens": 50})
    second = await put(own, "clerk", persona="A strict clerk.")
    back = await put(own, "clerk", persona="친절한 사서", sampling={"temperature": 0.3, "max_tokens": 50})
    assert [answer.status_code for answer in (first, again, second, back)] == [201, 200, 201, 201]
    assert [answer.json()["version"] for answer in (first, again, second, back)] == [1, 1, 2, 3]
    stored = (await own.get("/prompts/clerk?version=1")).json()
    assert stored["persona"] == "친절한 사서"
    assert stored["sampling"]["max_tokens"] == 50
    assert stored["instruction"] is None
    assert not stored["active"]


async def test_versions_put_at_the_same_time_are_all_there(own):
    await asyncio.gather(*(put(own, "busy", persona=f"Number {number}") for number in range(12)))
    listed = (await own.get("/prompts")).json()["data"]
    assert listed == [{"name": "busy", "versions": list(range(1, 13)), "active": None, "default": False}]
    personas = {(await own.get(f"/prompts/busy?version={version}")).json()["persona"] for version in range(1, 13)}
    assert len(personas) == 12


async def test_a_name_means_its_active_version_and_before_that_its_newest(shelf):
    await put(shelf, "guide", persona="Guide one.")
    await put(shelf, "guide", persona="Guide two.")
    assert (await system_of(shelf, prompt="guide"))[0].startswith("Guide two.")
    await shelf.post("/prompts/guide/activate", json={"version": 1})
    await put(shelf, "guide", persona="Guide three.")
    text, prompt = await system_of(shelf, prompt="guide")
    assert text.startswith("Guide one.")
    assert (prompt["name"], prompt["version"]) == ("guide", 1)
    assert (await system_of(shelf, prompt="guide@3"))[0].startswith("Guide three.")


async def test_activation_is_the_default_and_an_earlier_version_rolls_back(shelf):
    await put(shelf, "desk", persona="Desk one.", sampling={"max_tokens": 10})
    await put(shelf, "desk", persona="Desk two.")
    for version, persona in ((2, "Desk two."), (1, "Desk one.")):
        activated = await shelf.post("/prompts/desk/activate", json={"version": version})
        assert activated.json()["default"]
        text, prompt = await system_of(shelf)
        assert text.startswith(persona)
        assert (prompt["name"], prompt["version"]) == ("desk", version)
    assert (await system_of(shelf, persona="Own."))[0].startswith("Own.")
    assert (await shelf.delete("/prompts/desk")).status_code == 409
    assert (await shelf.post("/prompts/deactivate")).status_code == 204
    text, prompt = await system_of(shelf)
    assert "Desk" not in text
    assert (prompt["name"], prompt["version"]) == (None, None)


async def test_one_default_a_tenant(own):
    await put(own, "one", persona="1")
    await put(own, "two", persona="2")
    await own.post("/prompts/one/activate", json={"version": 1})
    await own.post("/prompts/two/activate", json={"version": 1})
    listed = (await own.get("/prompts")).json()["data"]
    assert [(row["name"], row["active"], row["default"]) for row in listed] == [("one", 1, False), ("two", 1, True)]


async def test_a_deleted_prompts_numbers_are_not_used_again(own):
    await put(own, "gone", persona="1")
    assert (await own.delete("/prompts/gone")).status_code == 204
    assert (await own.get("/prompts/gone")).status_code == 404
    assert (await own.get("/prompts")).json()["data"] == []
    assert (await own.post("/query", json={**QUESTION, "prompt": "gone"})).status_code == 422
    assert (await put(own, "gone", persona="2")).json()["version"] == 2


async def test_the_list_is_paged(own):
    for name in ("a", "b", "c"):
        await put(own, name, persona=name)
    first = (await own.get("/prompts?limit=2")).json()
    rest = (await own.get(f"/prompts?limit=2&cursor={first['next_cursor']}")).json()
    assert [row["name"] for row in first["data"] + rest["data"]] == ["a", "b", "c"]
    assert (first["has_more"], rest["has_more"]) == (True, False)


@pytest.mark.parametrize("prompt", ["nowhere", "Guide", "guide@0", "guide@99", "a b", "@1"])
async def test_a_question_with_an_unknown_prompt_says_so(shelf, prompt):
    await put(shelf, "guide", persona="Guide one.")
    answer = await shelf.post("/query", json={**QUESTION, "prompt": prompt})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/prompt"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/prompts/Großes", {}, 422),
        ("PUT", "/prompts/x", {"personality": "x"}, 422),
        ("PUT", "/prompts/default", {}, 422),
        ("PUT", "/prompts/x", {"sampling": {"temperature": 9}}, 422),
        ("PUT", "/prompts/x", {"examples": [{"input": "a"}]}, 422),
        ("POST", "/prompts/nowhere/activate", {"version": 1}, 404),
        ("POST", "/prompts/nowhere/activate", {}, 422),
        ("GET", "/prompts/nowhere", None, 404),
        ("DELETE", "/prompts/nowhere", None, 404),
    ],
)
async def test_bad_requests(own, method, path, body, status):
    answer = await own.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_that_only_asks_changes_no_prompt(new_tenant):
    asking = await new_tenant(scopes=("query",))
    assert (await asking.put("/prompts/x", json={})).status_code == 403
    assert (await asking.get("/prompts")).status_code == 200


async def test_the_elements_of_one_question(shelf):
    body = {
        "persona": "A clerk.",
        "examples": [{"input": "When does it close?", "output": "At six [1].", "context": "It closes at six."}],
        "no_answer_text": "Ask at the desk.",
        "output_indicator": "In one word.",
        "context_label": "Shelf",
        "input_label": "Visitor",
    }
    preview = (await shelf.post("/query", json={**QUESTION, **body})).json()
    roles = [message["role"] for message in preview["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    last = preview["messages"][-1]["content"]
    assert last.startswith("Shelf, each between")
    assert last.endswith("Visitor: When does the reading room open?\n\nIn one word.")
    declined = await shelf.post("/query", json={"input": "텅스텐의 끓는점은?", "no_answer_text": "모릅니다."})
    assert declined.json()["answer"] == "모릅니다."
