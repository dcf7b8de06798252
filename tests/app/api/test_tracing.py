"""A request followed from its caller through the service to the engine, at a receiver that decodes what is sent."""

from __future__ import annotations

import dataclasses
import json
import logging
from contextlib import contextmanager

import httpx
import pytest
from opentelemetry import trace

from app import tracing
from app.errors import NotConfigured
from app.logs import JsonFormatter
from app.main import create_app
from app.metrics import Metrics
from app.settings import Settings
from tests.app.api.generating import GOOD, QUESTION, TEXT, ask
from tests.collector import collecting, values
from tests.conftest import ADMIN_KEY, ingest_text

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
def sent(monkeypatch):
    """Yield what makes spans be sent in a block, and shows them afterwards."""

    @contextmanager
    def sending(**variables):
        with collecting() as collector:
            endpoint = f"http://127.0.0.1:{collector.port}"
            for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **variables}.items():
                monkeypatch.setenv(name, value)
            with tracing.sending("kyujang-test", to=endpoint):
                yield collector

    return sending


async def test_a_question_is_followed_from_its_caller_to_the_engine_and_back(start, sent):
    client, script = await start(GOOD)
    with sent() as collector:
        answer = await client.post("/query", json=QUESTION, headers=CALLER)
    assert answer.json()["answer"] == GOOD
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    served = collector.named("POST /query")
    assert served.parent_span_id.hex() == "b7ad6b7169203331"
    said = values(served)
    assert (said["http.route"], said["http.response.status_code"]) == ("/query", 200)
    assert said["kyujang.request_id"] == answer.headers["x-request-id"]
    names = {span.name for span in collector.spans}
    steps = {
        "embed",
        "search",
        "search by words",
        "search by meaning",
        "fuse",
        "prompt",
        "queue wait",
        "citation check",
    }
    assert steps <= names
    search = collector.named("search")
    assert {collector.named(leg).parent_span_id for leg in ("search by words", "search by meaning", "fuse")} == {
        search.span_id
    }
    assert search.parent_span_id == served.span_id
    asked = collector.named("chat scripted-7b")
    assert asked.parent_span_id == served.span_id
    assert values(asked) | {"kyujang.first_token_seconds": 0} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "scripted-7b",
        "gen_ai.request.max_tokens": 256,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 2,
        "kyujang.first_token_seconds": 0,
        "server.address": values(asked)["server.address"],
    }
    assert f"traceparent: 00-{TRACE}-{asked.span_id.hex()}-01" in script.heads[-1]


async def test_a_stream_is_one_trace_too(start, sent, caplog):
    client, _ = await start(GOOD)
    with sent() as collector:
        body = {**QUESTION, "stream": True}
        async with client.stream("POST", "/query", json=body, headers=CALLER) as answer:
            text = "".join([part async for part in answer.aiter_text()])
    assert "event: done" in text
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert "chat scripted-7b" in {span.name for span in collector.spans}
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


async def test_no_words_of_questions_answers_documents_or_errors_are_in_a_span(start, sent):
    client, _ = await start(GOOD, 500)
    with sent() as collector:
        await ask(client)
        await client.post("/query", json=QUESTION)
        await client.post("/search", json=QUESTION)
        await client.get("/documents/hours")
    assert collector.spans
    for words in (QUESTION["input"], GOOD, TEXT, "reading room", "hours"):
        assert words not in collector.text
    assert any(values(span).get("error.type") for span in collector.spans)


async def test_the_variables_of_the_sdk_hold(start, sent):
    client, _ = await start(GOOD)
    variables = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=abc",
        "OTEL_SERVICE_NAME": "shelf",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
    }
    with sent(**variables) as collector:
        await client.post("/search", json=QUESTION)
        await client.post("/search", json=QUESTION, headers=CALLER)
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert collector.headers[0]["x-collector-key"] == "abc"
    (resource,) = {
        each.resource.SerializeToString(): each.resource for each in collector.requests[0].resource_spans
    }.values()
    assert {each.key: each.value.string_value for each in resource.attributes}["service.name"] == "shelf"


async def test_health_and_metrics_make_no_trace(start, sent):
    client, _ = await start(GOOD)
    with sent() as collector:
        await client.get("/healthz")
        await client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert collector.spans == []


async def test_a_histogram_names_a_trace_and_a_log_line_its_own(services, shelf, sent):
    app = create_app(services.settings, dataclasses.replace(services, metrics=Metrics()))
    app.state.services = dataclasses.replace(services, metrics=Metrics())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=shelf.headers) as client:
        with sent():
            await client.post("/query", json=QUESTION, headers=CALLER)
            with tracing.span("work"):
                line = json.loads(JsonFormatter().format(logging.makeLogRecord({"msg": "said"})))
                assert line["trace_id"] == f"{trace.get_current_span().get_span_context().trace_id:032x}"
        operator = {"Authorization": f"Bearer {ADMIN_KEY}", "Accept": "application/openmetrics-text"}
        shown = (await client.get("/metrics", headers=operator)).text
        del operator["Accept"]
        plain = (await client.get("/metrics", headers=operator)).text
    lines = [each for each in shown.splitlines() if each.startswith("kyujang_query_stage_seconds_bucket")]
    assert any(f'trace_id="{TRACE}"' in each for each in lines)
    assert "kyujang_query_stage_seconds_bucket" in plain
    assert TRACE not in plain


async def test_off_nothing_is_made_and_nothing_is_passed_on(start):
    client, script = await start(GOOD)
    await client.post("/query", json=QUESTION, headers=CALLER)
    assert "traceparent" not in script.heads[-1]
    assert tracing.span("any") is tracing.beside("any") is tracing.served("any", CALLER) is tracing.OFF
    assert tracing.ids() == {}
    assert "trace_id" not in json.loads(JsonFormatter().format(logging.makeLogRecord({"msg": "said"})))
    assert Settings().otlp_endpoint is None


async def test_a_worker_s_steps_are_spans_and_lead_to_the_request(tenant, worker, sent):
    with sent() as collector:
        await ingest_text(tenant, "The lamp is lit at dusk.", id="lamp")
    done = collector.named("process ingest")
    asked = collector.named("POST /ingest")
    assert [(link.trace_id, link.span_id) for link in done.links] == [(asked.trace_id, asked.span_id)]
    assert done.trace_id != asked.trace_id
    assert not done.parent_span_id
    for step in ("load", "split", "embed", "store"):
        assert collector.named(step).parent_span_id == done.span_id
    assert "dusk" not in collector.text
    assert "lamp" not in collector.text


def test_an_address_that_receives_nothing_is_refused():
    with pytest.raises(NotConfigured, match=r"OTEL_EXPORTER_OTLP_ENDPOINT is not http"):
        Settings(otlp_endpoint="collector:4318")
