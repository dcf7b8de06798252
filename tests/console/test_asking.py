"""What is around an answer: why it is what it is, how it was asked, what was left out, and what users say of it."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ADMIN_KEY, NewTenant, ingest_text
from tests.console.keys import key_of

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
# As src/words/ has them.
WORDS = {
    "en": ("Helpful", "Not helpful", "What is good or bad about it", "The right answer", "Send", "Stop"),
    "ko": ("도움이 됨", "도움이 안 됨", "좋거나 나쁜 점", "옳은 답", "보내기", "멈추기"),
}


@pytest.fixture(scope="module")
async def tenant(new_tenant: NewTenant):
    client = await new_tenant("asking")
    await ingest_text(client, "The lamp of the pier is lit at dusk. 부두의 등대는 해가 지면 켠다.", id="lamp")
    return client


async def test_an_answer_tells_why_and_how_it_was_asked(visit, tenant):
    asked = []
    async with visit(key=key_of(tenant)) as page:
        page.on("request", lambda sent: asked.append(sent.post_data_json) if sent.url.endswith("/query") else None)
        await page.get_by_text("Options", exact=True).click()
        await page.get_by_label("Search by").select_option("lexical")
        await page.get_by_label("Search apart for two things").check()
        await page.get_by_label("Field, such as metadata.year").fill("document_id")
        await page.get_by_label("Value").fill("lamp")
        await page.get_by_role("button", name="Add").click()
        await page.get_by_label("Compare with a second answer").check()
        await page.locator("#question").fill("When is the keeper's lamp of the pier lit?")
        await page.locator("#question").press("Enter")
        why = page.get_by_text("Why this answer")
        await why.nth(1).wait_for()
        assert [each.get("explain") for each in asked] == [None, None]
        await why.first.click()
        await page.locator(".side tbody tr").first.wait_for()
        assert [each.get("explain") for each in asked] == [None, None, True]
        told = await page.locator(".side").first.locator("tbody tr").first.locator("td").all_inner_texts()
        fate, by_meaning, by_words = told[:3]
        assert (fate, by_meaning, by_words[:2]) == ("used", "–", "1.")
        await page.get_by_text("As curl").first.click()
        command = await page.locator(".side pre").first.inner_text()
        body = command.partition("-d '")[2].rpartition("' '")[0].replace("'\\''", "'")
        filters = {"and": [{"key": "document_id", "op": "eq", "value": "lamp"}]}
        assert json.loads(body) == {
            "input": "When is the keeper's lamp of the pier lit?", "messages": [], "mode": "lexical", "decompose": True,
            "filters": filters,
        }  # fmt: skip
        assert key_of(tenant) not in command


async def test_what_a_refusal_found_is_looked_for_when_it_is_opened(visit, tenant):
    await tenant.post("/collections", json={"id": "strict", "defaults": {"mode": "lexical", "min_score": 1000}})
    await ingest_text(tenant, "The bell of the tower rings at noon.", id="bell", collection="strict")
    asked = []
    async with visit(key=key_of(tenant)) as page:
        page.on("request", lambda sent: asked.append(sent.post_data_json) if sent.url.endswith("/query") else None)
        await page.get_by_text("Options", exact=True).click()
        await page.get_by_label("Collection").select_option("strict")
        await page.locator("#question").fill("When does the bell of the tower ring?")
        await page.locator("#question").press("Enter")
        await page.get_by_text("Found nevertheless").click()
        await page.locator(".refusal li").wait_for()
        assert "rings at noon" in await page.locator(".refusal li").inner_text()
        assert [each.get("dry_run") for each in asked] == [None, True]


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_users_say_what_they_think_where_it_is_kept(visit, tenant, anonymous, language):
    helpful, not_helpful, why, right, send, stop = WORDS[language]
    await anonymous.patch("/tenants/asking", json={"query_log_days": None}, headers=OPERATOR)
    async with visit(language, key_of(tenant)) as page:

        async def ask():
            await page.locator("#question").fill("When is the lamp of the pier lit?")
            await page.locator("#question").press("Enter")
            await page.locator("q").last.wait_for()
            # What is sent before an answer has ended is not asked.
            await page.get_by_role("button", name=stop).wait_for(state="detached")

        await ask()
        assert await page.get_by_role("button", name=not_helpful).count() == 0
        await anonymous.patch("/tenants/asking", json={"query_log_days": 7}, headers=OPERATOR)
        await ask()
        await page.get_by_role("button", name=helpful, exact=True).click()
        await page.get_by_role("button", name=not_helpful).click()
        side = page.locator(".side").last
        await side.locator("button[aria-pressed=true]", has_text=not_helpful).wait_for()
        await side.get_by_label(why).fill("<b>Too short</b>")
        await side.get_by_label(right).fill("At dusk. 해가 지면.")
        await side.get_by_role("button", name=send).click()
        await side.get_by_role("status").wait_for()
    given = (await tenant.get("/queries?vote=down")).json()["data"][0]["feedback"]
    assert (given["vote"], given["comment"], given["right_answer"]) == (
        "down",
        "<b>Too short</b>",
        "At dusk. 해가 지면.",
    )
