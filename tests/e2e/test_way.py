"""The whole way with the real parts, vLLM included: documents in, question asked, the gold document cited."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from app.__main__ import main
from tests.conftest import EXAMPLES, ROOT, SHARED_DATA, needs_shared_data
from tests.e2e.engine_metrics import metric, until_running
from tests.stack import Stack

QUESTIONS = [json.loads(line) for line in (ROOT / "tests" / "examples" / "questions.jsonl").read_text().splitlines()]
ASKED = [row for row in QUESTIONS if row["answer"] in ("30 days", "163", "15일", "손홍록")]
DOCUMENTS = sorted({row["gold_sources"][0] for row in QUESTIONS})


@pytest.fixture(scope="module")
def shelf(stack: Stack) -> dict[str, str]:
    """The examples, taken in: file name → document id."""
    for name in DOCUMENTS:
        files = {"file": (name, (EXAMPLES / name).read_bytes())}
        # By the ids that 'python -m ingest add examples' gives them, so that they are there once.
        job = httpx.post(f"{stack.url}/ingest?wait=60", data={"id": name}, files=files, timeout=120).json()
        assert job["status"] == "succeeded", job
    return {name: name for name in DOCUMENTS}


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["text"])
def test_the_gold_document_is_found(client, shelf, row):
    found = client.post("/search", json={"input": row["text"], "top_k": 3}).json()["contexts"]
    assert shelf[row["gold_sources"][0]] in [context["document_id"] for context in found]


@pytest.mark.parametrize("row", ASKED, ids=lambda row: row["text"])
def test_the_gold_document_is_cited(client, shelf, row):
    """Through the engine, so two chunks at most: a CPU reads some 200 tokens a second."""
    answer = client.post("/query", json={"input": row["text"], "top_k": 2, "max_tokens": 48}).json()
    assert answer["finish_reason"] in ("stop", "length"), answer
    assert answer["usage"]["completion_tokens"] > 0
    assert shelf[row["gold_sources"][0]] in [citation["document_id"] for citation in answer["citations"]], answer
    check_citations(answer)


def check_citations(answer) -> None:
    contexts = {context["chunk_id"]: context for context in answer["contexts"]}
    for citation in answer["citations"]:
        chunk, span = contexts[citation["chunk_id"]]["text"], citation["chunk_span"]
        assert chunk[span["start"] : span["end"]] == citation["quote"]
        assert contexts[citation["chunk_id"]]["rank"] == citation["marker"]
        assert 0 <= citation["answer_span"]["start"] < citation["answer_span"]["end"] <= len(answer["answer"])


@pytest.mark.parametrize("text", ["How long do I have to return an item?", "세종실록은 몇 권인가요?"])
def test_the_engine_really_generates(client, shelf, text):
    """With the guard off the model's own words come through."""
    body = {"input": text, "grounding": "off", "top_k": 2, "max_tokens": 24, "seed": 7}
    answer = client.post("/query", json=body).json()
    assert answer["answer_mode"] == "generated"
    assert answer["model"] == "smollm2"
    assert 1 <= answer["usage"]["completion_tokens"] <= 24
    assert answer["usage"]["prompt_tokens"] == answer["prompt"]["tokens"]["total"] > 50
    assert answer["timings_ms"]["first_token"] > 0
    assert answer["unsupported"] == []


def events(lines) -> Iterator[tuple[str, dict]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_streamed_answer_is_the_same_answer(client, shelf):
    body = {"input": "How long do I have to return an item?", "grounding": "mark", "top_k": 2, "max_tokens": 32}
    plain = client.post("/query", json=body).json()
    with client.stream("POST", "/query", json={**body, "stream": True}) as answer:
        seen = list(events(answer.iter_lines()))
    names = [name for name, _ in seen]
    deltas = [data["text"] for name, data in seen if name == "delta"]
    done = seen[-1][1]
    assert len(deltas) > 3
    assert names == ["retrieval", *["delta"] * len(deltas), *["citation"] * len(done["citations"]), "done"]
    assert "".join(deltas).split()[:3] == done["answer"].split()[:3]
    assert done.keys() == plain.keys()
    # What comes of the generated text may differ by a word: each request has a fence of its own.
    for key in ("contexts", "answer_mode", "model"):
        assert done[key] == plain[key]
    assert seen[0][1]["contexts"] == plain["contexts"]


# So hot that the model hardly ever comes to an end by itself.
LONG = {"input": "annals", "grounding": "mark", "top_k": 1, "max_tokens": 800, "temperature": 2.0, "seed": 7}


def test_a_stream_that_nobody_reads_any_more_ends_in_the_engine(client, stack, shelf):
    assert until_running(stack, 0)
    with client.stream("POST", "/query", json={**LONG, "stream": True}) as answer:
        # Held, since httpx hangs up as soon as nobody holds the iterator.
        held = events(answer.iter_lines())
        assert any(name == "delta" for name, _ in held)
        assert metric(stack, "num_requests_running") == 1
    assert until_running(stack, 0)


def test_an_answer_that_nobody_waits_for_ends_in_the_engine(stack, shelf):
    with socket.create_connection((httpx.URL(stack.url).host, httpx.URL(stack.url).port)) as caller:
        body = json.dumps(LONG).encode()
        kind = "Host: localhost\r\nContent-Type: application/json"
        head = f"POST /query HTTP/1.1\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body)
        assert until_running(stack, 1)
    assert until_running(stack, 0)


def test_the_elements_of_the_prompt_are_the_requests(client, shelf):
    body = {"input": "refund?", "instruction": "Speak like a pirate.", "output_indicator": "One line.", "dry_run": True}
    dry = client.post("/query", json=body).json()
    system, user = dry["messages"]
    assert system["content"].startswith("Speak like a pirate. If the sources")
    assert user["content"].endswith("One line.")
    tokens = dry["prompt"]["tokens"]
    assert tokens["total"] >= tokens["instruction"] + tokens["context"] + tokens["input"] + tokens["output_indicator"]


def test_contexts_that_do_not_fit_are_dropped_and_counted(client, shelf):
    job = [{"text": f"Shelf {n}: " + "가나다라마바사 아자차카 " * 60, "id": f"big/{n}"} for n in range(12)]
    done = client.post("/ingest?wait=60", json={"documents": job}).json()
    assert done["status"] == "succeeded"
    asked = {"input": "가나다라마바사 shelf", "top_k": 12, "max_tokens": 16, "dry_run": True}
    answer = client.post("/query", json=asked).json()
    for document in done["documents"]:
        client.delete(f"/documents/{document['id']}")
    assert answer["prompt"]["dropped_contexts"] > 0
    assert answer["prompt"]["tokens"]["total"] + 16 <= 4096


def test_a_question_that_cannot_fit_says_by_how_much(client, shelf):
    answer = client.post("/query", json={"input": "긴 질문 " * 4000})
    assert answer.status_code == 422
    assert "tokens too long" in answer.json()["detail"]


def test_nothing_retrieved_is_no_answer_without_the_engine(client, shelf):
    body = {"input": "What is the capital of Mars?", "min_score": 1.0}
    answer = client.post("/query", json=body).json()
    assert (answer["finish_reason"], answer["no_answer_reason"]) == ("no_answer", "below_min_score")
    assert answer["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}
    assert answer["citations"] == []


def test_the_commands_do_the_same(stack, shelf, tmp_path, monkeypatch, capsys):
    """Two of them as a reader of the guides types them, the others here, since each would start Python once more."""
    page = tmp_path / "등대.md"
    page.write_text("# 등대\n\n가덕도 등대의 높이는 42.7미터이다.\n")
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)

    def typed(*arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(*arguments: str) -> str:
        assert main([*arguments]) == 0
        return capsys.readouterr().out

    assert "1 added" in typed("ingest", "add", str(page))
    assert "42.7" in typed("app", "ask", "가덕도 등대의 높이는 얼마인가요?", "--top-k", "1")
    assert "등대" in run("search", "가덕도 등대", "--top-k", "1")
    assert run("tenant", "add", "acme", "--name", "Acme") == "acme\n"
    assert run("key", "add", "acme").startswith("kyu_")
    assert "valid" in run("key", "list", "acme")
    run("tenant", "delete", "acme")
    assert "acme" not in run("tenant", "list")


@needs_shared_data
def test_real_documents_are_taken_in_and_answer(client, shelf):
    rows = [json.loads(line) for line in (SHARED_DATA / "documents" / "index.jsonl").read_text().splitlines()]
    wanted = [
        row for row in rows if row["file"] in ("word_processor_history.pdf", "fastapi_async_ko.md", "word_tables.docx")
    ]
    files = [("file", (row["file"], (SHARED_DATA / "documents" / row["file"]).read_bytes())) for row in wanted]
    job = client.post("/ingest?wait=60", files=files).json()
    while job["status"] in ("queued", "running"):
        job = client.get(f"/jobs/{job['id']}").json()
    assert job["status"] == "succeeded", job
    question = "path operation function에서 async def 대신 def를 쓰면 어떻게 되나요?"
    answer = client.post("/query", json={"input": question, "top_k": 3, "max_tokens": 48}).json()
    assert "fastapi_async_ko.md" in [context["source"] for context in answer["contexts"]]
    check_citations(answer)
    for document in job["documents"]:
        client.delete(f"/documents/{document['id']}")
