"""What the OpenAI-compatible routes refuse, and how."""

from __future__ import annotations

import openai
import pytest

from tests.app.api.openai.conftest import asking, key_of

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
PICTURE = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://a.test/b"}}]
REFUSED = {
    "tools": ({"tools": [TOOL]}, "tools", "tools are not called"),
    "n": ({"n": 2}, "n", "one answer"),
    "logprobs": ({"logprobs": True}, "logprobs", "not served"),
    "logit_bias": ({"logit_bias": {"7": 1}}, "logit_bias", "not served"),
    "a penalty": ({"frequency_penalty": 0.5}, "frequency_penalty", "not served"),
    "reasoning_effort": ({"reasoning_effort": "high"}, "reasoning_effort", "stored prompt"),
    "a picture": ({"messages": [{"role": "user", "content": PICTURE}]}, "messages[0].content", "POST /ingest"),
    "a tool's turn alone": ({"messages": [{"role": "tool", "content": "x"}]}, "messages", "last message"),
    "an unknown role": ({"messages": [{"role": "critic", "content": "x"}]}, "messages[0].role", "assistant"),
    "a function not forced": ({"tools": [TOOL], "tool_choice": "auto"}, "tools", "tool_choice"),
    "functions": ({"functions": [{"name": "look_up"}]}, "functions", "'tools'"),
    "an answer last": ({"messages": [{"role": "assistant", "content": "x"}]}, "messages", "last message"),
    "no message": ({"messages": []}, "messages", "at least 1"),
    "temperature": ({"temperature": 3}, "temperature", "less than or equal to 2"),
    "unknown": ({"extra_body": {"colour": "red"}}, "colour", "not permitted"),
    "rerank": ({"extra_body": {"rerank": True}}, "rerank", "KYUJANG_RERANKER"),
    "a schema without an engine": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        "response_format",
        "Only an engine",
    ),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_served_is_refused_by_name(client, case, stream):
    fields, param, words = REFUSED[case]
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(**asking("x") | fields, stream=stream)
    error = caught.value
    assert (error.status_code, error.param, error.type) == (400, param, "invalid_request_error")
    assert words in error.message
    assert error.code == "invalid_input"
    assert error.request_id.startswith("req_")


@pytest.mark.parametrize("model", ["no-such", "clerk@9", "gpt-4o", "../x", "모델", ""])
async def test_an_unknown_model_is_not_found(client, model):
    for asked in (
        client.chat.completions.create(**asking("x") | {"model": model}),
        client.chat.completions.create(**asking("x") | {"model": model}, stream=True),
        client.models.retrieve(model or " "),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            await asked
        assert caught.value.type == "invalid_request_error"
        assert caught.value.code in ("model_not_found", "not_found")


async def test_a_wrong_key_and_one_without_the_scope(url, new_tenant):
    ingests = await new_tenant(scopes=("ingest",))
    for key, kind, code in (
        ("sk-wrong", openai.AuthenticationError, "invalid_api_key"),
        (key_of(ingests), openai.PermissionDeniedError, "forbidden"),
    ):
        async with openai.AsyncOpenAI(base_url=url, api_key=key) as client:
            for asked in (client.models.list(), client.chat.completions.create(**asking("x"))):
                with pytest.raises(kind) as caught:
                    await asked
                assert caught.value.code == code


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/v1/no/such", b"", 404, "not_found"),
        ("GET", "/v1/", b"", 404, "not_found"),
        ("GET", "/v1/chat/completions", b"", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", b"{", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"[]", 400, "invalid_input"),
        ("POST", "/v1/chat/completions", b" " * (17 << 20), 413, "too_large"),
        ("POST", "/v1/chat/completions", b'{"model": "\\ud800", "messages": [{}], "\\ud801": 1}', 400, "invalid_input"),
    ],
)
async def test_every_error_has_openai_s_shape(shelf, method, path, content, status, code):
    headers = {"content-type": "application/json", "x-request-id": "mine-1"}
    answer = await shelf.request(method, path, content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == code
    assert answer.headers["x-request-id"] == "mine-1"
