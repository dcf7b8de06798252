"""Chunks, contexts, citations and prompts say what a text stands under: headings, the header of a table, pages."""

from __future__ import annotations

import pytest

from tests.conftest import NewTenant, ingest_text

RULES = {
    "en": "# House rules\n\nThey hold for all.\n\n## Kitchen\n\nThe stove is cleaned on Mondays.\n\n## Cellar\n\n"
    "The wine is counted on Fridays.",
    "ko": "# 사용 규칙\n\n모두에게 적용한다.\n\n제1장 부엌\n\n제1조(화덕) 화덕은 월요일에 닦는다.\n\n제2장 지하실\n\n"
    "제2조(술독) 술독은 금요일에 센다.",
}
ASKED = {
    "en": ("When is the wine counted?", ["House rules", "Cellar"], ["House rules"]),
    "ko": ("술독은 언제 세나요?", ["사용 규칙", "제2장 지하실", "제2조(술독)"], ["사용 규칙"]),
}
TABLES = {
    "en": ("plot,crop,litres of water", [f"P{n},crop {n},{3 * n}" for n in range(1, 160)], "P150"),
    "ko": ("밭,작물,물의 양", [f"밭{n},작물 {n},{3 * n}" for n in range(1, 160)], "밭150"),
}


@pytest.fixture(scope="module")
async def shelf(worker, new_tenant: NewTenant):
    client = await new_tenant()
    for language, rules in RULES.items():
        await ingest_text(client, rules, id=f"rules-{language}")
        header, rows, _ = TABLES[language]
        files = {"file": ("table.csv", "\n".join([header, *rows]).encode())}
        sent = await client.post("/ingest?wait=60", files=files, data={"id": f"table-{language}"})
        assert sent.json()["status"] == "succeeded"
    return client


async def asked(client, path, language, question, **more):
    where = {"key": "document_id", "op": "in", "value": [f"rules-{language}", f"table-{language}"]}
    answer = await client.post(path, json={"input": question, "filters": where, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("language", RULES)
async def test_headings_stand_in_each_answer_and_in_the_prompt(shelf, language):
    question, cited, above = ASKED[language]
    chunks = (await shelf.get(f"/documents/rules-{language}/chunks")).json()["data"]
    assert [each["headings"] for each in chunks] == [above]
    found = (await asked(shelf, "/search", language, question))["contexts"][0]
    assert (found["headings"], found["pages"], found["header"]) == (above, None, None)
    citation = (await asked(shelf, "/query", language, question))["citations"][0]
    assert citation["headings"] == cited
    assert not citation["quote"].startswith(above[0])
    prompt = (await asked(shelf, "/query", language, question, dry_run=True))["messages"][-1]["content"]
    assert f"> {above[0]}\n" in prompt


@pytest.mark.parametrize("language", TABLES)
async def test_a_row_is_found_and_quoted_below_its_header(shelf, language):
    header, rows, name = TABLES[language]
    row = rows[149]
    text = (await shelf.get(f"/documents/table-{language}/text")).json()["text"]
    chunks = (await shelf.get(f"/documents/table-{language}/chunks")).json()["data"]
    assert len(chunks) > 1
    for chunk in chunks[1:]:
        parts = [text[each["start"] : each["end"]] for each in (chunk["header"], chunk["span"])]
        assert parts[0] == f"{header}\n"
        assert chunk["text"] == "".join(parts)
        assert set(parts[1].split("\n")) <= set(rows)
    answer = await asked(shelf, "/query", language, f"{name} {header.split(',')[2]}?")
    assert [each["quote"] for each in answer["citations"]] == [row]
    found = next(each for each in answer["contexts"] if row in each["text"])
    assert found["text"].startswith(header)
    assert found["header"] == {"start": 0, "end": len(header) + 1}


async def test_headings_are_searched_by_words(shelf):
    found = (await asked(shelf, "/search", "ko", "사용 규칙", mode="lexical"))["contexts"]
    assert [each["document_id"] for each in found] == ["rules-ko"]
