"""The three ways of searching, over HTTP, on documents whose words and meanings part."""

from __future__ import annotations

import pytest

from tests.conftest import ingest_text

TEXTS = {
    "code": "Fault KX-4821B: the pump of the north hall has stopped. Call the caretaker.",
    "bridge": "The bridge over the river is closed to lorries.",
    "heat": "오늘은 기온이 몹시 높아 야외 작업을 멈춘다.",
    "leave": "연차 휴가는 팀장이 승인한다.",
}


@pytest.fixture(scope="module")
async def shelf(tenant, worker):
    documents = [{"id": name, "text": text} for name, text in TEXTS.items()]
    job = (await tenant.post("/ingest?wait=60", json={"documents": documents})).json()
    assert job["counts"]["succeeded"] == len(TEXTS)
    return tenant


async def found(client, text: str, **fields) -> list[dict]:
    answer = await client.post("/search", json={"input": text, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["contexts"]


async def test_without_a_mode_it_is_hybrid_and_every_chunk_comes_back(shelf):
    told, untold = [await found(shelf, "KX-4821B", **fields) for fields in ({"mode": "hybrid"}, {})]
    assert [(each["document_id"], each["score"]) for each in told] == [
        (each["document_id"], each["score"]) for each in untold
    ]
    assert len(untold) == len(TEXTS)
    assert untold[0]["document_id"] == "code"
    scores = [each["score"] for each in untold]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[0] <= 1


@pytest.mark.parametrize(("text", "document"), [("KX-4821B", "code"), ("휴가를 누가 승인하나요?", "leave")])
async def test_by_words_only_chunks_that_hold_one(shelf, text, document):
    assert [each["document_id"] for each in await found(shelf, text, mode="lexical")] == [document]


@pytest.mark.parametrize(
    ("text", "document"), [("Which road is blocked for trucks?", "bridge"), ("who approves vacation days", "leave")]
)
async def test_by_meaning_without_a_common_word(shelf, text, document):
    assert await found(shelf, text, mode="lexical") == []
    for mode in ("dense", "hybrid"):
        assert (await found(shelf, text, mode=mode))[0]["document_id"] == document


async def test_min_score_is_of_the_mode(shelf):
    (by_words,) = await found(shelf, "KX-4821B", mode="lexical")
    assert by_words["score"] > 1
    assert await found(shelf, "KX-4821B", mode="lexical", min_score=by_words["score"] + 0.01) == []
    best, *_ = await found(shelf, "KX-4821B", mode="hybrid")
    kept = await found(shelf, "KX-4821B", mode="hybrid", min_score=best["score"] - 0.0001)
    assert [each["document_id"] for each in kept] == ["code"]


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_filters_and_top_k_hold_in_every_mode(shelf, mode):
    only = {"key": "document_id", "op": "in", "value": ["code", "bridge"]}
    contexts = await found(shelf, "the pump and the bridge", mode=mode, filters=only)
    assert {each["document_id"] for each in contexts} == {"code", "bridge"}
    assert len(await found(shelf, "the pump and the bridge", mode=mode, filters=only, top_k=1)) == 1


@pytest.mark.parametrize("text", ["?!", "…", "the of and", "그리고"])
async def test_a_question_without_a_content_word(shelf, text):
    assert len(await found(shelf, text)) == len(TEXTS)
    assert await found(shelf, text, mode="lexical") == []


async def test_a_query_takes_the_mode_too(shelf):
    body = {"input": "hot weather", "mode": "lexical"}
    answer = (await shelf.post("/query", json=body)).json()
    assert (answer["finish_reason"], answer["no_answer_reason"]) == ("no_answer", "nothing_retrieved")
    refused = await shelf.post("/query", json={**body, "mode": "telepathic"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/mode"


async def test_another_tenant_s_words_find_nothing(shelf, new_tenant):
    other = await new_tenant()
    await ingest_text(other, "An entirely different shelf.")
    assert await found(other, "KX-4821B", mode="lexical") == []
    assert [each["text"] for each in await found(other, "KX-4821B")] == ["An entirely different shelf."]


async def test_a_title_leads_to_its_chunks(new_tenant):
    """Neither text says what it is about; the titles do."""
    client = await new_tenant()
    text = "It opens at nine and closes at six."
    for name, title in (("pool", "수영장"), ("library", "도서관")):
        await client.post("/ingest?wait=60", json={"documents": [{"id": name, "title": title, "text": text}]})
    for mode in ("dense", "lexical"):
        for name, question in (("pool", "수영장은 언제 여나요?"), ("library", "도서관은 언제 여나요?")):
            assert (await found(client, question, mode=mode))[0]["document_id"] == name
