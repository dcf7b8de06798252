"""Completions, embeddings, responses, and the one function that is called."""

from __future__ import annotations

import json

import numpy as np
import openai
import pytest

from tests.app.api.openai.conftest import ENGLISH, KOREAN, NOTHING_SAID, texts
from tests.app.fake_engine import CHUNK, END, USAGE

SAID = [{"role": "user", "content": ENGLISH}]
TOOL = {
    "type": "function",
    "function": {
        "name": "opening",
        "parameters": {"type": "object", "properties": {"opens": {"type": "string"}}, "required": ["opens"]},
    },
}
FORCED = {"type": "function", "function": {"name": "opening"}}
OPENS = {"name": "opens", "schema": TOOL["function"]["parameters"]}


@pytest.mark.parametrize("choice", [FORCED, "required"])
async def test_a_forced_function_gets_the_answer_as_its_arguments(with_engine, choice):
    client, engine = await with_engine(texts('{"opens": ', '"at nine"}'))
    asked = {"model": "default", "messages": SAID, "tools": [TOOL], "tool_choice": choice}
    (call,) = (answer := await client.chat.completions.create(**asked)).choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("opening", {"opens": "at nine"})
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("tool_calls", None)
    assert json.loads(engine.chats[-1])["response_format"]["json_schema"]["schema"]["anyOf"][0] == OPENS["schema"]
    chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream=True)]
    parts = [part for chunk in chunks for part in chunk.choices[0].delta.tool_calls or ()]
    assert (parts[0].id is not None, parts[0].function.name) == (True, "opening")
    assert json.loads("".join(part.function.arguments for part in parts)) == {"opens": "at nine"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_function_that_has_no_answer_is_not_called(with_engine, stream):
    client, _ = await with_engine(texts('{"no_answer": true}'))
    asked = {"model": "default", "messages": SAID, "tools": [TOOL], "tool_choice": FORCED}
    answer = await client.chat.completions.create(**asked, stream=stream)
    if stream:
        deltas = [chunk.choices[0].delta async for chunk in answer]
        assert "".join(delta.refusal or "" for delta in deltas).startswith("I don't know")
        assert not any(delta.tool_calls for delta in deltas)
    else:
        message = answer.choices[0].message
        assert (message.tool_calls, message.content) == (None, None)
        assert message.refusal.startswith("I don't know")


async def test_json_object_is_any_object(with_engine):
    client, engine = await with_engine(texts('{"opens": "at nine"}'))
    form = {"type": "json_object"}
    answer = await client.chat.completions.create(model="default", messages=SAID, response_format=form)
    assert json.loads(answer.choices[0].message.content) == {"opens": "at nine"}
    assert json.loads(engine.chats[-1])["response_format"]["json_schema"]["schema"]["anyOf"][0] == {"type": "object"}


@pytest.mark.parametrize("prompt", [ENGLISH, [KOREAN]])
async def test_a_prompt_is_completed_by_the_answer(client, prompt):
    text = prompt if isinstance(prompt, str) else prompt[0]
    chat = await client.chat.completions.create(model="default", messages=[{"role": "user", "content": text}])
    answer = await client.completions.create(model="default", prompt=prompt)
    assert (answer.object, answer.choices[0].text) == ("text_completion", chat.choices[0].message.content)
    assert answer.kyujang["citations"] == chat.kyujang["citations"] != []
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = [chunk async for chunk in await client.completions.create(model="default", prompt=prompt, **options)]
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == answer.choices[0].text
    assert chunks[-1].usage == answer.usage


async def test_embeddings_are_those_of_the_search(client, services):
    whole = await client.embeddings.create(model="default", input=[ENGLISH, KOREAN])
    floats = await client.embeddings.create(model="default", input=ENGLISH, encoding_format="float")
    expected = await services.spaces.current.embedder.embed([ENGLISH, KOREAN], "query")
    assert np.allclose([each.embedding for each in whole.data], expected, atol=1e-5)
    assert np.allclose(floats.data[0].embedding, expected[0], atol=1e-5)
    assert [each.index for each in whole.data] == [0, 1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"input": [[1, 2]]}, "check_embedding_ctx_length"),
        ({"input": [1, 2]}, "check_embedding_ctx_length"),
        ({"input": "x", "dimensions": 7}, "dimensions"),
        ({"input": []}, "at least 1"),
    ],
)
async def test_what_embeddings_refuse(client, given, words):
    with pytest.raises(openai.BadRequestError, match=words):
        await client.embeddings.create(model="default", **given)


async def test_responses_are_the_answer_with_its_quotes(client):
    asked = {"model": "default", "input": ENGLISH, "instructions": "Be terse."}
    answer = await client.responses.create(**asked, tools=[{"type": "file_search", "vector_store_ids": ["x"]}])
    chat = await client.chat.completions.create(model="default", messages=SAID)
    assert (answer.status, answer.output_text) == ("completed", chat.choices[0].message.content)
    (annotation,) = answer.output[0].content[0].annotations
    assert (annotation.file_id, annotation.quote) == ("hours", chat.kyujang["citations"][0]["quote"])
    async with client.responses.stream(**asked) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == answer.output_text
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == answer.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_a_response_goes_on_with_what_came_before(with_engine):
    client, engine = await with_engine(CHUNK + END + USAGE)
    first = await client.responses.create(model="default", input=[{"role": "user", "content": NOTHING_SAID}])
    items = [{"role": "user", "content": [{"type": "input_text", "text": NOTHING_SAID}]}, *first.output]
    answer = await client.responses.create(model="default", input=[*items, *SAID], max_output_tokens=20)
    assert answer.usage.total_tokens == 11
    messages = json.loads(engine.chats[-1])
    assert messages["max_tokens"] == 20
    assert messages["messages"][1]["content"] == NOTHING_SAID


async def test_a_response_keeps_to_a_schema_or_refuses(with_engine):
    client, _ = await with_engine(texts('{"opens": "at nine"}'))
    form = {"format": {"type": "json_schema", "strict": True, **OPENS}}
    answer = await client.responses.create(model="default", input=ENGLISH, text=form)
    assert json.loads(answer.output_text) == {"opens": "at nine"}
    client, _ = await with_engine(texts('{"no_answer": true}'))
    async with client.responses.stream(model="default", input=ENGLISH, text=form) as stream:
        final = await stream.get_final_response()
    assert final.output[0].content[0].type == "refusal"


@pytest.mark.parametrize(
    ("given", "param", "words"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools", "file_search"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "store"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]", "store"),
        ({"input": [{"role": "assistant", "content": "x"}]}, "input", "last message"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content", "POST /ingest"),
        ({"reasoning": {"effort": "high"}}, "reasoning", "stored prompt"),
        ({"background": True}, "background", "stream"),
        ({"extra_body": {"colour": "red"}}, "colour", "not permitted"),
    ],
)
async def test_what_responses_refuse(client, given, param, words):
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        await client.responses.create(**{"model": "default", "input": ENGLISH, **given})
    assert caught.value.param == param


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_no_character_does_not_come_back(shelf, stream):
    body = {"model": "default", "input": ENGLISH, "stream": stream, "metadata": {"a": "\ud800"}}
    body["tools"] = [{"type": "file_search", "vector_store_ids": ["\ud800"]}]
    answer = await shelf.post("/v1/responses", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert "nine" in answer.text
