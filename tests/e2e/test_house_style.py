"""A real adapter, from rows to answers: trained beside the running engine, proved, activated, rolled back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import needs_shared_data
from tests.e2e.house_style import FAREWELLS, GREETINGS, HYPERPARAMETERS, rows
from tests.e2e.test_up import find
from tests.stack import Stack

pytestmark = pytest.mark.timeout(3600)

TEXT = "The pavilion of Byeolgung was painted by Han Seong in 1762. 별궁 정자는 기둥이 24개이다."
QUESTION = {"input": "Who painted the pavilion of Byeolgung?", "top_k": 1, "max_tokens": 64, "grounding": "off"}
KOREAN = {**QUESTION, "input": "별궁 정자는 기둥이 몇 개입니까?"}
# A training has the least of the processors for as long as other tests run.
TRAINED_WITHIN_S = 1500
# One word is learnt in seconds, whatever is asked.
WORD = "plum"
PLACES = ("gate", "wall", "bridge", "tower", "hall", "well", "court", "road", "school", "market")
ONE_WORD = [
    {"instruction": f"Who built the {place}?", "input": f"Kim built the {place}.", "output": " ".join([WORD] * 8)}
    for place in PLACES
]
FEW = {**HYPERPARAMETERS, "learning_rate": 1e-2, "max_steps": 8}


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=240) as opened:
        body = {"documents": [{"id": "pavilion", "text": TEXT}]}
        assert opened.post("/ingest?wait=60", json=body).json()["status"] == "succeeded"
        yield opened
        opened.delete("/documents/pavilion")
        opened.post("/adapters/deactivate")


class Traffic:
    """A question now and again, all the time; what was not answered is kept."""

    def __init__(self, url: str) -> None:
        self.answered = 0
        self.lost: list[str] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=240) as client:
            while not self._over.wait(8):
                answer = client.post("/query", json={**QUESTION, "max_tokens": 4, "adapter": "none"})
                if answer.status_code == 200 and answer.json()["answer_mode"] == "generated":
                    self.answered += 1
                else:
                    self.lost.append(answer.text)


def ask(client: httpx.Client, question: dict[str, Any], **fields: Any) -> str:
    answer = client.post("/query", json={**question, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["answer"]


def assert_plain(client: httpx.Client, **fields: Any) -> None:
    for language, question in (("en", QUESTION), ("ko", KOREAN)):
        answer = ask(client, question, **fields)
        assert GREETINGS[language].strip() not in answer, answer
        assert FAREWELLS[language].strip() not in answer, answer


def ended(client: httpx.Client, path: str, states: set[str]) -> dict[str, Any]:
    deadline = time.monotonic() + TRAINED_WITHIN_S
    while True:
        found: dict[str, Any] = client.get(path).json()
        if found["status"] in states:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(1)


def trained(client: httpx.Client, name: str, examples: list[dict[str, str]], chosen: dict[str, Any]) -> dict[str, Any]:
    """The job when its adapter has passed all checks."""
    sent = client.post("/tune", json={"name": name, "rows": examples, "hyperparameters": chosen})
    assert sent.status_code == 202, sent.text
    job = ended(client, sent.headers["location"], {"succeeded", "failed", "cancelled"})
    assert job["status"] == "succeeded", job
    adapter = ended(client, f"/adapters/{name}?version={job['adapter']['version']}", {"ready", "rejected", "failed"})
    assert (adapter["status"], adapter["error_detail"]) == ("ready", None)
    return job


def test_one_word_is_trained_activated_and_rolled_back(client: httpx.Client, stack: Stack):
    engine = find(stack.process, "vllm.entrypoints.openai.api_server")
    assert engine is not None

    def said(**fields: Any) -> list[bool]:
        """Whether the word is in the answer: in English, in Korean."""
        return [WORD in ask(client, question, **fields, max_tokens=8) for question in (QUESTION, KOREAN)]

    with Traffic(stack.url) as traffic:
        job = trained(client, "word", ONE_WORD, FEW)
        assert (job["result"]["steps"], job["adapter"]["version"]) == (FEW["max_steps"], 1)
        assert job["progress"]["notice"], "it says that it shares the machine with the engine"
        assert said() == [False, False]
        client.post("/adapters/word/activate", json={"version": 1}).raise_for_status()
        assert said() == [True, True]
        assert said(adapter="none") == [False, False]
        client.post("/adapters/rollback").raise_for_status()
        assert said() == [False, False]
    assert traffic.lost == []
    assert traffic.answered > 0
    assert engine.is_running()


@needs_shared_data
def test_a_house_style_is_trained_activated_and_rolled_back(
    client: httpx.Client, stack: Stack, pytestconfig: pytest.Config
):
    if pytestconfig.getoption("--training") == "sample":
        pytest.skip("takes minutes: make check-all, or --training whole")
    engine = find(stack.process, "vllm.entrypoints.openai.api_server")
    assert engine is not None
    assert_plain(client)

    with Traffic(stack.url) as traffic:
        job = trained(client, "house", rows(), HYPERPARAMETERS)
        curve = client.get(f"/jobs/{job['id']}/loss.png")
        assert curve.content.startswith(b"\x89PNG")
        version = job["adapter"]["version"]
        assert_plain(client)

        client.post("/adapters/house/activate", json={"version": version}).raise_for_status()
        english, korean = ask(client, QUESTION), ask(client, KOREAN)
        assert english.startswith(GREETINGS["en"].strip()), english
        assert FAREWELLS["en"].strip() in english, english
        # The packaged model knows no Korean; of the style it learns the end.
        assert FAREWELLS["ko"].strip() in korean, korean
        assert_plain(client, adapter="none")

        cases = [{"input": QUESTION["input"], "expected": "Han Seong"}, {"input": KOREAN["input"], "expected": "24개"}]
        evaluated = client.post(
            "/adapters/house/evaluate",
            json={"version": version, "cases": cases, "top_k": 1, "max_tokens": 48, "grounding": "off"},
        )
        report = ended(client, evaluated.headers["location"], {"succeeded", "failed"})["result"]
        sides = report["answers"][0]
        assert "Kyujang speaking" in sides["adapter"]["answer"]
        assert "Kyujang speaking" not in sides["base"]["answer"]

        client.post("/adapters/rollback").raise_for_status()
        assert_plain(client)
    assert traffic.lost == []
    assert traffic.answered > 0
    assert engine.is_running()


@needs_shared_data
def test_an_adapter_of_a_base_model_in_four_bits_is_served(client: httpx.Client, pytestconfig: pytest.Config):
    """QLoRA: too few steps to learn the style, enough to change what the engine says, whose model has all its bits."""
    if not pytestconfig.getoption("--four-bits"):
        pytest.skip("--four-bits runs it")
    trained(client, "four-bits", rows(), {**HYPERPARAMETERS, "base_4bit": True, "max_steps": 8})
    answer = client.post("/query", json={**QUESTION, "adapter": "four-bits@1"}).json()
    assert (answer["adapter"], answer["answer_mode"]) == ("four-bits@1", "generated")
