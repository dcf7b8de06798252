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


@pytest.mark.parametrize(
    "text", ["어떤 문서가 있어?", "안녕하세요!", "요약해줘", "What documents do you have?", "Thanks!"]
)
async def test_a_question_about_the_shelf_is_told_what_is_there(tenant, shelf, text):
    answer = (await tenant.post("/query", json={"input": text})).json()
    assert (answer["finish_reason"], answer["no_answer_reason"]) == ("no_answer", "about_the_shelf")
    assert 1 <= len(answer["titles"]) <= 5
    assert all(title in answer["answer"] for title in answer["titles"])
    assert (answer["contexts"], answer["citations"]) == ([], [])


async def test_only_titles_that_the_filters_match_are_named(tenant, shelf):
    one = {"key": "source", "op": "eq", "value": next(iter(shelf))}
    answer = (await tenant.post("/query", json={"input": "Hello!", "filters": one})).json()
    assert len(answer["titles"]) == 1
    own = {"input": "Hello!", "no_answer_text": "Ask me about tea."}
    assert (await tenant.post("/query", json=own)).json()["answer"] == "Ask me about tea."


@pytest.mark.parametrize(
    ("fields", "korean"),
    [
        ({"input": "At which degree does 텅스텐 boil?"}, False),
        ({"input": "At which degree does 텅스텐 boil?", "language": "ko"}, True),
        ({"input": "Tungsten의 끓는점은?"}, True),
        ({"input": "텅스텐의 끓는점은 몇 도인가요?", "language": "en"}, False),
    ],
)
async def test_a_refusal_is_in_the_language_of_the_question_or_the_one_named(tenant, shelf, fields, korean):
    answer = (await tenant.post("/query", json=fields)).json()
    assert answer["answer"].startswith("모르겠습니다" if korean else "I don't know")
