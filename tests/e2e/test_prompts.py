"""Prompts, schemas and conversations on the real engine, with a model that is too small to follow them well."""

from __future__ import annotations

import json

import httpx
import pytest

from app.generation.engine_load import SHOWN, load_of
from app.generation.special_tokens import special_tokens
from tests.e2e.engine_metrics import metered, metric

TEXT = "The lighthouse of Gadeok is 43 metres high. It was built in 1909. 가덕도 등대는 1909년에 세워졌다."
QUESTION = {"input": "How high is the lighthouse of Gadeok?", "top_k": 1, "max_tokens": 24, "grounding": "off"}


@pytest.fixture(scope="module", autouse=True)
def shelf(stack):
    with httpx.Client(base_url=stack.url, timeout=180) as client:
        body = {"documents": [{"id": "gadeok", "title": "Gadeok", "text": TEXT}]}
        assert client.post("/ingest?wait=60", json=body).json()["status"] == "succeeded"
        yield
        client.delete("/documents/gadeok")


def ask(client, **fields):
    answer = client.post("/query", json={**QUESTION, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_answer_keeps_to_a_schema(client):
    """Sampled, since the packaged model's likeliest answer may be to decline, which every schema leaves it."""
    schema = {
        "$defs": {"number": {"type": "integer", "minimum": 0, "maximum": 999}},
        "type": "object",
        "properties": {"metres": {"$ref": "#/$defs/number"}},
        "required": ["metres"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "height", "schema": schema}}
    answers = [ask(client, response_format=wanted, temperature=1.5, seed=seed) for seed in range(8)]
    given = [answer["answer"] for answer in answers if answer["finish_reason"] != "no_answer"]
    assert given, answers
    for text in given:
        found = json.loads(text)
        assert set(found) == {"metres"}
        assert 0 <= found["metres"] <= 999


def test_examples_conversation_and_reasoning_go_through_the_engine(client):
    examples = [{"input": "How old is it?", "context": "It was built in 1909.", "output": "Since 1909 [1]."}]
    turns = [{"role": "user", "content": "Do you know Gadeok?"}, {"role": "assistant", "content": "Yes."}]
    answer = ask(client, examples=examples, messages=turns, reasoning=True, persona="등대지기")
    tokens = answer["prompt"]["tokens"]
    assert answer["search_query"] == f"Do you know Gadeok?\n{QUESTION['input']}"
    assert all(tokens[name] > 0 for name in ("instruction", "examples", "messages", "context", "input"))
    parts = sum(count for name, count in tokens.items() if name != "total")
    assert parts <= tokens["total"] <= parts + 150


def test_the_real_engine_tells_its_special_tokens(stack):
    with stack.engine() as engine:
        found = special_tokens(engine.get("/tokenizer_info").json())
    assert {"<|im_start|>", "<|im_end|>", "<repo_name>", "<empty_output>"} <= found


def test_the_real_engine_tells_what_is_shown_of_it(stack):
    with stack.engine() as engine:
        assert load_of(engine.get("/metrics").text).shown.keys() == SHOWN


def test_the_engine_remembers_what_prompts_share(client, stack):
    """vLLM's prefix cache holds whole blocks, of 128 tokens on a CPU."""
    examples = [{"input": f"Question {number}?", "output": f"Answer {number} [1]. " * 12} for number in range(4)]
    client.put("/prompts/long", json={"examples": examples}).raise_for_status()
    ask(client, prompt="long", max_tokens=1)
    before, counted = metric(stack, "prefix_cache_hits_total"), metered(stack)
    answer = ask(client, prompt="long", input="When was the lighthouse of Gadeok built?", max_tokens=1)
    shared = answer["prompt"]["tokens"]["instruction"] + answer["prompt"]["tokens"]["examples"]
    assert metric(stack, "prefix_cache_hits_total") - before >= shared // 128 * 128 > 0
    # Probes of the engine, and what other tests have it say, are in both: to the token.
    engine_s, own = metered(stack)
    assert engine_s[0] - counted[0][0] >= answer["usage"]["prompt_tokens"]
    assert [after - then for after, then in zip(engine_s, counted[0], strict=True)] == [
        after - then for after, then in zip(own, counted[1], strict=True)
    ]
