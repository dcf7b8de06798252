"""Extractive answers over the examples: asked over HTTP, with the real index and embedding model, without an engine."""

from __future__ import annotations

import json

import pytest

from tests.conftest import EXAMPLES, ROOT

QUESTIONS = [json.loads(line) for line in (ROOT / "tests" / "examples" / "questions.jsonl").read_text().splitlines()]

# "밥을 짓는 데 몇 분이 걸리나요" shares two words with "현미는 72분이 걸린다": too few to answer from without a model.
TOO_FAR = "72분"


@pytest.fixture(scope="module")
async def shelf(tenant, worker) -> dict[str, str]:
    files = [("file", (path.name, path.read_bytes())) for path in sorted(EXAMPLES.iterdir())]
    job = (await tenant.post("/ingest?wait=60", files=files)).json()
    assert job["status"] == "succeeded", job
    return {document["source"]: document["id"] for document in job["documents"]}


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["text"])
async def test_the_first_citation_answers(tenant, shelf, row):
    answer = (await tenant.post("/query", json={"input": row["text"]})).json()
    assert answer["answer_mode"] == "extracted"
    if row["answer"] == TOO_FAR:
        assert answer["finish_reason"] == "no_answer"
        return
    assert answer["finish_reason"] == "stop", answer
    assert answer["citations"][0]["document_id"] == shelf[row["gold_sources"][0]]
    assert row["answer"] in answer["answer"]
    for citation in answer["citations"]:
        start, end = citation["answer_span"].values()
        assert answer["answer"][start:end] == citation["quote"]


@pytest.mark.parametrize(
    "text",
    [
        "What is the boiling point of tungsten?",
        "텅스텐의 끓는점은 몇 도인가요?",
        # Invented, and known for what language models made of it. Its topic is on the shelf.
        "조선왕조실록에 기록된 세종대왕 맥북프로 던짐 사건에 대해 알려줘",
        "Tell me about King Sejong throwing a MacBook Pro, as the annals record it.",
    ],
)
async def test_what_the_documents_do_not_say_is_no_answer(tenant, shelf, text):
    answer = (await tenant.post("/query", json={"input": text})).json()
    assert (answer["finish_reason"], answer["no_answer_reason"]) == ("no_answer", "model_declined")
    assert answer["citations"] == []
