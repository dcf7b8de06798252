"""Adapters of several tenants on the real engine, which has fewer slots than there are adapters."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from tests.e2e.engine_metrics import metric
from tests.e2e.tenants import new_tenant, upload, with_keys
from tests.e2e.test_up import answers, find, wait_for
from tests.e2e.test_way import LONG, events
from tests.stack import ADMIN_KEY, Stack

if TYPE_CHECKING:
    from tests.marker_adapters import MarkerAdapters

TEXT = "The lighthouse of Gadeok was built in 1909 of white stone. 가덕도 등대는 1909년에 흰 돌로 세워졌다."
QUESTION = {"input": "When was the lighthouse of Gadeok built?", "top_k": 1, "max_tokens": 6, "grounding": "off"}
KOREAN = {**QUESTION, "input": "가덕도 등대는 언제 세워졌습니까?"}
WORDS = [
    *("red", "blue", "green", "moon", "star", "sun", "lake", "fire", "stone", "gold", "silver", "iron", "copper"),
    *("water", "river", "wind", "earth", "hill", "leaf", "tree", "snow", "rain", "sand", "bird", "fish", "horse"),
    *("apple", "glass", "paper", "book", "door", "wall"),
]


@pytest.fixture(scope="module")
def service(stack: Stack) -> Iterator[str]:
    with with_keys(stack) as url:
        yield url


@pytest.fixture(scope="module")
def markers(stack: Stack) -> MarkerAdapters:
    # Here, since every process of the suite would load torch and transformers while it collects the tests.
    from tests.marker_adapters import MarkerAdapters

    return MarkerAdapters(stack.home / "models" / "smollm2")


@pytest.fixture(scope="module")
def tenants(
    service: str,
    markers: MarkerAdapters,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> dict[str, httpx.Client]:
    """One for each word, with its document and the active adapter that says the word."""
    folder = tmp_path_factory.mktemp("markers")
    words = WORDS[: pytestconfig.getoption("--adapters")]
    assert len(words) == pytestconfig.getoption("--adapters")
    with ThreadPoolExecutor(2) as side_by_side:
        return dict(
            zip(words, side_by_side.map(lambda word: tenant(service, markers, folder, word), words), strict=True)
        )


def tenant(service: str, markers: MarkerAdapters, folder: Path, word: str) -> httpx.Client:
    client = new_tenant(service)
    shelve(client)
    adapter = upload(client, "marker", markers.write(folder / word, word))
    assert adapter["status"] == "ready", adapter
    client.post("/adapters/marker/activate", json={"version": adapter["version"]}).raise_for_status()
    return client


def shelve(client: httpx.Client) -> None:
    body = {"documents": [{"id": "gadeok", "text": TEXT}]}
    assert client.post("/ingest?wait=60", json=body).json()["status"] == "succeeded"


def ask(client: httpx.Client, **fields: object) -> dict:
    answer = client.post("/query", json={**QUESTION, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def evicted(url: str) -> bool:
    operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
    return 'reason="evicted"' in httpx.get(f"{url}/metrics", headers=operator).raise_for_status().text


def said(answer: dict) -> set[str]:
    """Its words, or those of the extract that took an empty answer's place."""
    return set(answer["answer"].split())


def test_each_of_many_tenants_gets_its_own_adapter(tenants, stack):
    """More than the engine computes with in a batch, and more than it holds: half in English, half in Korean."""
    asked = list(zip(tenants, itertools.cycle((QUESTION, KOREAN)), strict=False))
    with ThreadPoolExecutor(8) as at_once:
        found = list(at_once.map(lambda each: ask(tenants[each[0]], **each[1]), asked))
    assert [said(answer) for answer in found] == [{word} for word, _ in asked]
    assert {answer["adapter"] for answer in found} == {"marker@1"}
    # By the process that was asked, or within one round by the watch of either.
    wait_for(lambda: any(evicted(url) for url in (str(tenants["red"].base_url), stack.url)), seconds=60)
    assert metric(stack, "corrupted_requests_total") == 0


def test_the_base_model_is_untouched_by_adapters_in_its_batch(tenants):
    """vLLM's CPU backend gave base requests another's adapter: deploy/kyujang_cpu_lora.py."""
    alone = [ask(tenants["red"], **question, adapter="none")["answer"] for question in (QUESTION, KOREAN)]
    words = ["red", "blue", "green"]
    with ThreadPoolExecutor(12) as at_once:
        busy = [at_once.submit(ask, tenants[word], max_tokens=16) for word in words * 2]
        beside = [at_once.submit(ask, tenants["red"], **each, adapter="none") for each in (QUESTION, KOREAN) * 2]
        assert [future.result()["answer"] for future in beside] == alone * 2
        assert [said(future.result()) for future in busy] == [{word} for word in words * 2]
    assert not said({"answer": " ".join(alone)}) & {"red", "blue", "green"}


def test_another_tenants_adapter_is_as_unknown_as_none(tenants, service, markers, tmp_path):
    stranger = new_tenant(service)
    shelve(stranger)
    mine = upload(tenants["red"], "private", markers.write(tmp_path / "bread", "bread"))
    assert mine["status"] == "ready"
    engine_name = "t1--private--v1"
    for name, status, of_openai in [
        *((name, 404, 404) for name in ("private", "private@1", "nothing", "nothing@1")),
        (engine_name, 422, 400),
    ]:
        answer = stranger.post("/query", json={**QUESTION, "adapter": name})
        chat = {"model": "default", "messages": [{"role": "user", "content": "When?"}], "adapter": name}
        assert answer.status_code == status, name
        assert stranger.post("/v1/chat/completions", json=chat).status_code == of_openai, name
    foreign = stranger.post("/query", json={**QUESTION, "adapter": "private@1"}).json()
    unknown = stranger.post("/query", json={**QUESTION, "adapter": "nothing@1"}).json()
    assert {**foreign, "request_id": None} == {**unknown, "request_id": None}
    assert foreign["status"] == 404
    chat = {"model": engine_name, "messages": [{"role": "user", "content": "When?"}]}
    assert stranger.post("/v1/chat/completions", json=chat).status_code == 404
    assert ask(tenants["red"], adapter="private@1")["adapter"] == "private@1"
    tenants["red"].delete("/adapters/private").raise_for_status()


def test_switched_rolled_back_and_compared_without_a_restart(tenants, markers, tmp_path, stack):
    """With requests under way all the time, of which none is lost."""
    client = tenants["blue"]
    engine = find(stack.process, "vllm.entrypoints.openai.api_server")
    assert engine is not None
    with ThreadPoolExecutor(2) as at_once:
        meanwhile = [at_once.submit(ask, tenants[word]) for word in ("moon", "star") * 3]
        second = upload(client, "marker", markers.write(tmp_path / "milk", "milk"))
        assert (second["version"], second["status"]) == (2, "ready")
        assert said(ask(client)) == {"blue"}
        assert said(ask(client, adapter="marker@2")) == {"milk"}
        client.post("/adapters/marker/activate", json={"version": 2}).raise_for_status()
        assert said(ask(client)) == {"milk"}
        client.post("/adapters/rollback").raise_for_status()
        assert said(ask(client)) == {"blue"}
        client.post("/adapters/deactivate").raise_for_status()
        assert ask(client)["adapter"] is None
        client.post("/adapters/rollback").raise_for_status()
        assert said(ask(client)) == {"blue"}
        assert [said(each.result()) for each in meanwhile] == [{"moon"}, {"star"}] * 3
    assert engine.is_running()


def test_one_that_changes_nothing_is_rejected(tenants, markers, tmp_path, stack):
    """vLLM takes it with 200."""
    adapter = upload(tenants["red"], "idle", markers.write(tmp_path / "idle", "milk", strength=1e-6))
    assert adapter["status"] == "rejected"
    failed = [check for check in adapter["checks"] if not check["ok"]]
    assert [check["name"] for check in failed] == ["differs"]
    assert tenants["red"].post("/adapters/idle/activate", json={"version": 1}).status_code == 409
    with stack.engine() as engine:
        assert not [each["id"] for each in engine.get("/v1/models").json()["data"] if "idle" in each["id"]]


@pytest.mark.parametrize("value", [float("nan"), 1e30])
def test_weights_that_would_break_the_engine_never_reach_it(tenants, markers, tmp_path, value):
    """One such adapter makes every tenant's answers empty until the engine is restarted."""
    adapter = upload(tenants["red"], "poison", markers.write(tmp_path / "poison", "milk", strength=value))
    assert adapter["status"] == "rejected"
    assert {check["name"] for check in adapter["checks"] if not check["ok"]} <= {"finite", "magnitude"}
    assert said(ask(tenants["red"])) == {"red"}
    assert ask(tenants["red"], adapter="none")["answer"]


def test_the_stream_names_its_adapter(tenants):
    with tenants["green"].stream("POST", "/query", json={**QUESTION, "stream": True}) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert json.loads(lines[-1].removeprefix("data: "))["adapter"] == "marker@1"


def test_an_engine_that_is_killed_comes_back_with_its_adapters(tenants, client, stack):
    """Killed while it writes: the stream says so, and the documents answer meanwhile."""
    shelve(client)
    kill_while_it_writes(client, stack)
    meanwhile = client.post("/query", json={**QUESTION, "max_tokens": 16, "grounding": "mark"}).json()
    assert (meanwhile["answer_mode"], meanwhile["fallback"]) == ("extracted", "engine_unavailable")
    assert "1909" in meanwhile["answer"]
    assert client.post("/search", json={"input": QUESTION["input"]}).status_code == 200
    late = httpx.get(f"{stack.url}/readyz", timeout=30)
    assert late.status_code == 503
    assert "engine" in late.json()["detail"]

    for url in (stack.url, str(tenants["red"].base_url).rstrip("/")):
        wait_for(lambda url=url: answers(url), seconds=300)
    again = client.post("/query", json={**QUESTION, "max_tokens": 16, "grounding": "mark"}).json()
    assert (again["answer_mode"], again["fallback"]) == ("generated", None)
    with ThreadPoolExecutor(6) as at_once:
        assert list(at_once.map(lambda word: said(ask(tenants[word])), tenants)) == [{word} for word in tenants]
    client.delete("/documents/gadeok")


def kill_while_it_writes(client: httpx.Client, stack: Stack) -> None:
    engine = find(stack.process, "vllm.entrypoints.openai.api_server")
    assert engine is not None
    seen: list[tuple[str, dict]] = []
    with client.stream("POST", "/query", json={**LONG, "stream": True}) as answer:
        for name, data in events(answer.iter_lines()):
            seen.append((name, data))
            if name == "delta" and engine.is_running():
                for each in [*engine.children(recursive=True), engine]:
                    each.kill()
                psutil.wait_procs([engine], timeout=10)
    assert [name for name, _ in seen][-1] == "error"
    assert (seen[-1][1]["status"], seen[-1][1]["code"]) == (503, "engine_unavailable")
