"""Usage and evaluations in a real browser."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from app.storage.tenants import SCOPES
from tests.conftest import ADMIN_KEY, NewTenant, ingest_text
from tests.console.keys import key_of

CASES = [
    {"text": "When is the lamp of the pier lit?", "expected": ["at dusk"], "gold_doc_ids": ["lamp"]},
    {"text": "부두의 등대는 언제 켜나요?", "answers": "해가 지면", "gold_doc_ids": ["lamp"]},
    {"text": "Who painted the chapel's ceiling?", "answerable": False},
]
# As src/words/ has them.
WORDS = {
    "en": (
        "File of questions",
        "Compare two ways to answer",
        "Search by",
        "Run",
        "Right",
        "Compare with an earlier run",
        "Curve for min_score",
        "Search for 3 questions",
    ),
    "ko": (
        "질문 파일",
        "답하는 방법 둘을 비교",
        "검색 방법",
        "실행",
        "옳음",
        "이전 평가와 비교",
        "min_score 곡선",
        "질문 3개 검색",
    ),
}
USAGE = {"en": ("What", "Documents stored", "By", "CSV"), "ko": ("무엇을", "저장한 문서", "나누기", "CSV")}


@pytest.fixture(scope="module")
async def tenant(new_tenant: NewTenant):
    client = await new_tenant("measuring", SCOPES)
    await ingest_text(client, "The lamp of the pier is lit at dusk. 부두의 등대는 해가 지면 켠다.", id="lamp")
    return client


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_questions_are_uploaded_run_and_compared(visit, tenant, tmp_path, language):
    file, compare, mode, run, right, earlier, curve, search = WORDS[language]
    cases = tmp_path / "cases.jsonl"
    cases.write_text("\n".join(json.dumps(each, ensure_ascii=False) for each in CASES))
    async with visit(language, key_of(tenant), "/evaluations") as page:
        for both in (False, True):
            await page.get_by_label(file).set_input_files(cases)
            if both:
                await page.get_by_label(compare).check()
                await page.get_by_label(mode).last.select_option("lexical")
            await page.get_by_role("button", name=run, exact=True).click()
            await page.locator("dl.measures").first.wait_for()
            assert await page.locator("dl.measures").count() == 1 + both
            first = page.locator("dl.measures").first.locator("div", has=page.get_by_text(right, exact=True))
            ends = [
                float(each)
                for each in (await first.locator("dd").inner_text()).split(" ", 1)[1].strip("[]() 3").split(", ")
            ]
            bar, line = [await first.locator(each).bounding_box() for each in (".bar", ".whisker")]
            whole = await first.locator(".interval").bounding_box()
            assert abs((line["x"] - whole["x"]) / whole["width"] - ends[0]) < 0.02
            assert line["x"] - 2 <= bar["x"] + bar["width"] <= line["x"] + line["width"] + 2
            if not both:
                await page.get_by_role("link", name="←").click()
        other = page.get_by_label(earlier)
        await other.select_option(index=1)
        rows = page.get_by_role("region").last.locator("tbody tr")
        await rows.first.wait_for()
        assert "0.00 [0.00, 0.00] (3)" in await rows.first.inner_text()
        await page.reload()
        await page.locator("dl.measures").first.wait_for()
        await page.get_by_text(curve, exact=True).click()
        await page.get_by_role("button", name=search).click()
        rows = page.get_by_role("region", name=curve).locator("tbody tr")
        await rows.first.wait_for()
        # The lowest threshold refuses nothing.
        assert (await rows.first.locator("td").all_inner_texts()) == ["1.00", "0.00"]
        assert await page.locator("svg.curve polyline").count() == 2
    results = (await tenant.get("/evaluations")).json()["data"]
    assert {each["status"] for each in results} == {"succeeded"}


async def test_what_is_no_list_of_questions_is_not_sent(visit, tenant):
    async with visit(key=key_of(tenant), path="/evaluations") as page:
        await page.get_by_label("One question on each line").fill('{"text": ')
        await page.get_by_text("This is no list of questions.").wait_for()
        assert await page.get_by_role("button", name="Run", exact=True).is_disabled()


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_usage_is_drawn_and_saved(visit, tenant, language):
    what, documents, by, save = USAGE[language]
    async with visit(language, key_of(tenant), "/usage") as page:
        await page.get_by_label(what, exact=True).select_option(label=documents)
        cell = page.locator("td.measured").first
        await cell.wait_for()
        assert int(await cell.inner_text()) == 1
        assert (await cell.locator(".bar").bounding_box())["width"] > 50
        await page.get_by_label(by, exact=True).select_option("day,key")
        await page.locator("tbody th").nth(1).wait_for()
        async with page.expect_download() as saved:
            await page.get_by_role("button", name=save).click()
        rows = saved_rows(await (await saved.value).path())
        assert sum(int(each["documents"]) for each in rows) == 1
        assert set(rows[0]) >= {"day", "key", "requests"}


def saved_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


async def test_the_operator_sees_all_tenants_usage(visit, tenant):
    async with visit(key=ADMIN_KEY, path="/usage") as page:
        await page.get_by_label("By", exact=True).select_option("tenant")
        await page.get_by_role("rowheader", name="measuring").wait_for()
