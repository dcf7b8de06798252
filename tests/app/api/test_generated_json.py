"""What becomes of replies that keep to a schema, and of those that do not."""

from __future__ import annotations

import json

from app.settings import PACKAGED_MODEL
from tests.app.api.generating import FORMAT, GOOD, QUESTION, SCHEMA, ask


async def test_an_answer_in_a_schema(start):
    client, script = await start('{"opens": "at nine"}')
    answer = await ask(client, response_format=FORMAT)
    assert json.loads(answer["answer"]) == {"opens": "at nine"}
    assert answer["citations"][0]["quote"] == "The reading room opens at nine."
    span = answer["citations"][0]["answer_span"]
    assert answer["answer"][span["start"] : span["end"]] == "at nine"
    sent = script.asked[0]["response_format"]["json_schema"]["schema"]
    assert sent["$defs"] == SCHEMA["$defs"]
    assert sent["anyOf"][0] == {"type": "object", "properties": SCHEMA["properties"]}


async def test_values_that_no_source_supports(start):
    client, _ = await start('{"opens": "at nine", "owner": "Elon Musk", "floors": 17}')
    answer = await ask(client, response_format=FORMAT)
    spans = [answer["answer"][span["start"] : span["end"]] for span in answer["unsupported"]]
    assert spans == ["Elon Musk", "17"]
    assert (await ask(client, response_format=FORMAT, grounding="refuse"))["finish_reason"] == "no_answer"
    toy, _ = await start('{"owner": "Elon Musk"}', model=PACKAGED_MODEL)
    assert (await ask(toy, response_format=FORMAT))["finish_reason"] == "no_answer"


async def test_an_address_in_json_counts_however_it_is_escaped(start):
    client, _ = await start('{"opens": "The reading room opens at nine http:\\/\\/evil.example\\/steal"}')
    answer = await ask(client, response_format=FORMAT)
    assert len(answer["unsupported"]) == 1


async def test_a_schema_leaves_room_to_decline(start):
    client, _ = await start('{"no_answer": true}')
    answer = await ask(client, response_format=FORMAT)
    assert (answer["finish_reason"], answer["no_answer_reason"]) == ("no_answer", "model_declined")


async def test_reasoning_does_not_go_with_a_schema(start):
    client, _ = await start(GOOD)
    refused = await client.post("/query", json={**QUESTION, "response_format": FORMAT, "reasoning": True})
    assert refused.status_code == 422


async def test_extract_is_refuse_with_a_schema(start):
    client, _ = await start('{"opens": "at noon"}')
    answer = await ask(client, response_format=FORMAT, grounding="extract")
    assert answer["no_answer_reason"] == "model_declined"


async def test_what_is_no_schema_is_refused(start):
    client, script = await start(GOOD)
    wrong = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no such type"}}}
    refused = await client.post("/query", json={**QUESTION, "response_format": wrong})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/response_format"
    assert script.asked == []


async def test_a_schema_without_an_engine_is_refused(shelf):
    refused = await shelf.post("/query", json={**QUESTION, "response_format": FORMAT})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/response_format"
