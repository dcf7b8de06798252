"""OpenAI's own client against the whole service, vLLM included."""

from __future__ import annotations

import json
from collections.abc import Iterator

import jsonschema
import openai
import pytest

from tests.e2e.engine_metrics import until_running
from tests.e2e.test_way import LONG, check_citations, shelf
from tests.stack import Stack

__all__ = ["shelf"]

ENGLISH, KOREAN = "How long do I have to return an item?", "세종실록은 몇 권인가요?"
SMALL = {"model": "default", "max_tokens": 32}
OWN = {"top_k": 2, "grounding": "mark"}


@pytest.fixture
def opened(stack: Stack, shelf) -> Iterator[openai.OpenAI]:
    """With any key: on loopback `up` asks for none."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key="any", timeout=180, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("text", [ENGLISH, KOREAN])
def test_the_engine_s_words_come_through(opened, client, text):
    messages = [{"role": "system", "content": "You work at the desk."}, {"role": "user", "content": text}]
    whole = opened.chat.completions.create(**SMALL, messages=messages, extra_body=OWN)
    assert whole.kyujang["model"] == "smollm2"
    assert whole.kyujang["answer_mode"] == "generated"
    assert 1 <= whole.usage.completion_tokens <= 32
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert whole.usage.prompt_tokens == whole.kyujang["prompt"]["tokens"]["total"]
    texts = {
        chunk["chunk_id"]: chunk["text"]
        for document in {context["document_id"] for context in whole.kyujang["contexts"]}
        for chunk in client.get(f"/documents/{document}/chunks").json()["data"]
    }
    contexts = [{**context, "text": texts[context["chunk_id"]]} for context in whole.kyujang["contexts"]]
    check_citations({**whole.kyujang, "contexts": contexts, "answer": whole.choices[0].message.content})


def test_a_stream_comes_word_by_word(opened):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    messages = [{"role": "user", "content": ENGLISH}]
    *chunks, usage = opened.chat.completions.create(**SMALL, messages=messages, extra_body=OWN, **options)
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert len(said) > 3
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert [context["rank"] for context in chunks[-1].kyujang["contexts"]] == [1, 2]
    assert usage.usage.completion_tokens > 3


def test_an_answer_keeps_to_a_schema_or_is_refused(opened):
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
    form = {"type": "json_schema", "json_schema": {"name": "days", "schema": schema, "strict": True}}
    asked = {"messages": [{"role": "user", "content": ENGLISH}], "response_format": form, "extra_body": OWN}
    whole = opened.chat.completions.create(**SMALL, **asked)
    message = whole.choices[0].message
    # So small a model may decline. Nothing else is a reason for a refusal here.
    reason = None if message.content is not None else "model_declined"
    assert (whole.kyujang["answer_mode"], whole.kyujang["no_answer_reason"]) == ("generated", reason)
    assert (message.content is None) == (message.refusal is not None)
    if message.content is not None:
        jsonschema.validate(json.loads(message.content), schema)


def test_a_stream_that_is_closed_ends_in_the_engine(opened, stack):
    assert until_running(stack, 0)
    asked = {"model": "default", "messages": [{"role": "user", "content": LONG["input"]}], "stream": True}
    sampling = {name: LONG[name] for name in ("temperature", "seed", "max_tokens")}
    with opened.chat.completions.create(**asked, **sampling, extra_body=OWN) as stream:
        assert next(iter(stream)).choices[0].delta.role == "assistant"
        assert until_running(stack, 1)
    assert until_running(stack, 0)


def test_a_prompt_that_cannot_fit_is_a_bad_request(opened):
    with pytest.raises(openai.BadRequestError, match="tokens too long") as caught:
        opened.chat.completions.create(**SMALL, messages=[{"role": "user", "content": "긴 질문 " * 4000}], stream=True)
    assert caught.value.param == "messages"
