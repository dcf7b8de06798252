"""Conversations as clients send them: everything that came before, each time."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.app.api.openai.conftest import ENGLISH, KOREAN
from tests.app.fake_engine import CHUNK, END, USAGE

REFUSAL = {"role": "assistant", "content": None, "refusal": "모르겠습니다.", "annotations": [], "audio": None}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"opens": 9}'}}
EMPTY = [
    {"role": "assistant"},
    {"role": "assistant", "content": None},
    {"role": "assistant", "content": ""},
    {"role": "user", "content": " \n"},
    {"role": "system", "content": []},
    {"role": "assistant", "content": [{"type": "text", "text": ""}], "id": "msg_1", "reasoning": "x"},
]


async def sent(with_engine, *messages: dict, **more) -> tuple[list, dict]:
    client, engine = await with_engine(CHUNK + END + USAGE)
    answer = await client.chat.completions.create(model="default", messages=[*messages], **more)
    return json.loads(engine.chats[-1])["messages"], answer.kyujang["prompt"]


@pytest.mark.parametrize("turn", EMPTY)
async def test_a_turn_that_says_nothing_is_left_out(with_engine, turn):
    messages, prompt = await sent(with_engine, turn, {"role": "user", "content": ENGLISH, "id": 7})
    assert [each["role"] for each in messages] == ["system", "user"]
    assert (prompt["dropped_messages"], prompt["cut_messages"]) == (0, 0)


async def test_what_other_services_answered_is_taken(with_engine):
    history = [
        {"role": "user", "content": [{"type": "text", "text": "첫째", "cache_control": {"type": "ephemeral"}}]},
        REFUSAL,
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "nine"},
        {"role": "user", "content": KOREAN},
    ]
    messages, _ = await sent(with_engine, *history)
    said = [(each["role"], each["content"]) for each in messages[1:-1] if "rewrite" not in each]
    assert said == [
        ("user", "첫째"),
        ("assistant", "모르겠습니다."),
        ("assistant", "No."),
        ("assistant", '{"opens": 9}'),
        ("assistant", "nine"),
    ]


async def test_what_follows_the_question_of_a_tool_does_not_hide_it(with_engine):
    retry = [{"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "Wrong."}]
    messages, _ = await sent(with_engine, {"role": "user", "content": ENGLISH}, *retry)
    assert ENGLISH in messages[-1]["content"]


async def test_the_earliest_turns_are_dropped_and_long_ones_cut(with_engine):
    turns = [{"role": role, "content": f"{number} {role}"} for number in range(61) for role in ("user", "assistant")]
    long = [{"role": "system", "content": "친절한 사서. " * 3000}, {"role": "user", "content": "x" * 21_000}]
    _, prompt = await sent(with_engine, *long, *turns, {"role": "user", "content": ENGLISH})
    assert prompt["dropped_messages"] >= 23
    assert prompt["cut_messages"] == 1
    messages, prompt = await sent(with_engine, *turns[:4], long[1], {"role": "user", "content": ENGLISH})
    assert prompt["cut_messages"] == 1
    assert len(messages[-2]["content"]) == 20_000


async def test_a_long_history_without_an_engine(client):
    turns = [{"role": "user", "content": f"Turn {number}"} for number in range(300)]
    answer = await client.chat.completions.create(
        model="default", messages=[*turns, {"role": "user", "content": ENGLISH}]
    )
    assert answer.kyujang["prompt"]["dropped_messages"] == 200


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ({"max_tokens": 100_000}, {"max_tokens": 2048}),
        ({"max_completion_tokens": 9, "max_tokens": 7}, {"max_tokens": 9}),
        ({"seed": -1}, {"seed": 2**31 - 1}),
        ({"seed": 2**32 + 5}, {"seed": 5}),
        ({"stop": ""}, {"stop": None}),
        ({"stop": ["", "END"]}, {"stop": ["END"]}),
        ({"stop": []}, {"stop": None}),
    ],
)
async def test_sampling_is_taken_as_openai_takes_it(with_engine, given, reached):
    client, engine = await with_engine(CHUNK + END + USAGE)
    await client.chat.completions.create(model="default", messages=[{"role": "user", "content": ENGLISH}], **given)
    assert {name: json.loads(engine.chats[-1]).get(name) for name in reached} == reached


async def test_query_has_no_such_leniency(shelf: httpx.AsyncClient):
    refused = await shelf.post("/query", json={"input": ENGLISH, "messages": [{"role": "user", "content": ""}]})
    assert refused.status_code == 422
