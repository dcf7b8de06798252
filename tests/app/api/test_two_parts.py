"""A question that asks two things, searched for apart where it is asked to be."""

from __future__ import annotations

import pytest

from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")

ASKED = {
    "en": "When is the lighthouse of Brenn painted, and who keeps the ledger of Oster?",
    "ko": "브렌 등대는 언제 칠합니까? 그리고 오스터의 장부는 누가 적습니까?",
}
TEXTS = {
    "en": ("The lighthouse of Brenn is painted white in May.", "Mira Holt keeps the ledger of Oster."),
    "ko": ("브렌 등대는 오월에 하얗게 칠합니다.", "오스터의 장부는 서기 홀트가 적습니다."),
}
ANSWERS = {"en": ("May", "Mira Holt"), "ko": ("오월", "홀트")}


@pytest.fixture(params=["en", "ko"])
async def shelf(request, tenant):
    for name, text in zip(("lighthouse", "ledger"), TEXTS[request.param], strict=True):
        await ingest_text(tenant, text, id=name)
    return tenant, request.param


async def test_both_parts_are_found_and_answered(shelf):
    client, language = shelf
    asked = {"input": ASKED[language], "top_k": 2, "decompose": True}
    answer = (await client.post("/query", json=asked)).json()
    assert {each["document_id"] for each in answer["contexts"]} == {"lighthouse", "ledger"}
    assert [word for word in ANSWERS[language] if word not in answer["answer"]] == []
    for cited in answer["citations"]:
        span = cited["answer_span"]
        assert answer["answer"][span["start"] : span["end"]] == cited["quote"]


async def test_one_question_is_asked_as_ever(shelf):
    client, language = shelf
    one = ASKED[language].split("? ")[0].split(", and ")[0] + "?"
    bodies = [{"input": one, "top_k": 2, "decompose": flag} for flag in (True, False)]
    first, second = [(await client.post("/query", json=body)).json() for body in bodies]
    assert first["answer"] == second["answer"]
    assert first["contexts"] == second["contexts"]


async def test_a_later_question_of_a_conversation_is_not_cut(shelf):
    client, language = shelf
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello."}]
    body = {"input": ASKED[language], "messages": turns, "top_k": 2}
    first, second = [(await client.post("/query", json=body | {"decompose": flag})).json() for flag in (True, False)]
    assert first["answer"] == second["answer"]
