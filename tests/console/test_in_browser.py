"""The page at /console in a real browser, over the real service with extractive answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import ADMIN_KEY, NewTenant, ingest_text
from tests.console.keys import key_of
from tests.ingest.made import ENGLISH, KOREAN, MAKERS
from tests.ingest.made.pages import Sheet, pdf_of

ATTACKS = Path(__file__).resolve().parents[1] / "canaries"
MARKUP = re.compile(r"<[a-z!/]|!?\[[^\]]*\]\(", re.IGNORECASE)
TEXTS = {
    "en": ("The ferry to the island leaves at seven.", "The lamp of the pier is lit at dusk by the keeper.", "pier"),
    "ko": ("섬으로 가는 배는 일곱 시에 떠난다.", "부두의 등대는 해가 지면 등대지기가 켠다.", "부두"),
}
QUESTIONS = {"en": "When is the lamp of the pier lit?", "ko": "부두의 등대는 언제 켜나요?"}
CANARY = (
    "The <b>harbour</b> fee is 30 won. <img src=x onerror=\"document.title='pwned'\">"
    "<script>document.title='pwned'</script> ![p](http://canary.example/p.png) [a](javascript:alert(1))"
)
# As src/words.ts has them.
WORDS = {
    "en": {"ask": "Ask", "documents": "Documents", "send": "Send", "undo": "Undo", "delete": "Delete", "key": "Key"},
    "ko": {"ask": "질문", "documents": "문서", "send": "보내기", "undo": "되돌리기", "delete": "삭제", "key": "키"},
}


def paper(language: str) -> bytes:
    page = Sheet()
    for number, line in enumerate(TEXTS[language][:2]):
        page.text(60, 700 - 40 * number, line)
    return pdf_of([Sheet().text(60, 700, "Nothing to see here."), page])


async def marked_text(page) -> str:
    return await page.locator("mark").inner_text()


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_from_an_upload_to_the_lines_that_the_answer_stands_on(visit, new_tenant: NewTenant, language, tmp_path):
    words, client = WORDS[language], await new_tenant()
    (tmp_path / "harbour.pdf").write_bytes(paper(language))
    async with visit(language) as page:
        await page.get_by_label(words["key"]).fill(key_of(client))
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name=words["documents"]).click()
        await page.locator("#files").set_input_files(tmp_path / "harbour.pdf")
        await page.locator(".documents .name").wait_for()
        await page.get_by_role("link", name=words["ask"], exact=True).click()
        await page.locator("#question").fill(QUESTIONS[language])
        await page.get_by_role("button", name=words["send"]).click()
        await page.locator("q").first.wait_for()
        quote = await page.locator("q").first.inner_text()
        assert TEXTS[language][2] in quote
        await page.locator("a.source").first.click()
        # The page with the quote is the second, and the box lies where the line was drawn.
        await page.locator(".sheet .box").wait_for()
        sheet, box = [await page.locator(each).bounding_box() for each in (".sheet img", ".sheet .box")]
        middle = (box["y"] + box["height"] / 2 - sheet["y"]) / sheet["height"] * 842
        assert abs(middle - (842 - 660 - 4)) < 8
        await page.get_by_role("group").get_by_role("button").nth(1).click()
        assert await marked_text(page) == quote


@pytest.mark.parametrize("way", ["chosen", "dropped"])
async def test_a_folder_is_taken_in_with_its_paths(visit, new_tenant: NewTenant, way, tmp_path):
    client, folder = await new_tenant(), tmp_path / "섬"
    (folder / "inner" / ".cache").mkdir(parents=True)
    kept = {"섬/ferry.txt": "The ferry leaves at seven.", "섬/inner/ferry.txt": "The other ferry leaves at nine."}
    for name, text in {**kept, "섬/.hidden.txt": "No.", "섬/inner/.cache/a.txt": "No."}.items():
        (tmp_path / name).write_text(text)
    async with visit(key=key_of(client), path="/documents") as page:
        box = page.locator(".drop")
        if way == "chosen":
            await box.locator("#folder").set_input_files(folder)
        else:
            await drop(page, box, folder)
        for name in kept:
            await box.locator("li", has_text=f"{name}: done").wait_for()
        assert await box.locator("li").count() == 2
    for name, text in kept.items():
        assert (await client.get(f"/documents/{quote(name, safe='')}/text")).json()["text"].strip() == text


async def drop(page, box, path: Path) -> None:
    """As a file manager does: a page cannot make a folder to drop."""
    browser, place = await page.context.new_cdp_session(page), await box.bounding_box()
    at = {"x": place["x"] + 5, "y": place["y"] + 5}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        await browser.send("Input.dispatchDragEvent", {"type": kind, "data": data, **at})


async def test_what_a_document_says_is_shown_and_never_run(visit, new_tenant: NewTenant):
    client = await new_tenant()
    await ingest_text(client, CANARY, id="canary/1", title="<img src=x onerror=alert(1)>")
    async with visit(key=key_of(client)) as page:
        await page.locator("#question").fill("What is the harbour fee?")
        await page.keyboard.press("Enter")
        await page.locator("a.source").first.click()
        await page.locator("mark").wait_for()
        quote = await marked_text(page)
        assert "<b>harbour</b> fee is 30 won." in quote
        assert await page.locator("h1", has_text="<img src=x").count() == 1
        assert await page.locator("main img, main b, main script").count() == 0


async def test_the_documents_of_attacks_are_shown_and_never_run(visit, new_tenant: NewTenant):
    """Those that hold markup; that no other host was asked is seen when the visit ends."""
    attacks = [json.loads(line) for file in sorted(ATTACKS.glob("*.jsonl")) for line in file.read_text().splitlines()]
    documents = [
        {"id": f"{attack['id']}-{number}", **document}
        for attack in attacks
        for number, document in enumerate(attack["documents"])
        if MARKUP.search(document["text"])
    ]
    assert len(documents) > 20
    client = await new_tenant()
    assert (await client.post("/ingest?wait=60", json={"documents": documents})).json()["status"] == "succeeded"
    async with visit(key=key_of(client), path="/documents") as page:
        for each in documents:
            await page.goto(f"{page.url.partition('/console')[0]}/console/documents/{each['id']}?start=0&end=9")
            assert (await marked_text(page)).strip() == each["text"][:9].strip()
            assert await page.locator("main :is(img, iframe, script, b, i, style, form[action])").count() == 0


@pytest.mark.parametrize(("language", "why"), [("en", "Nothing was found"), ("ko", "찾지 못했습니다")])
async def test_a_refusal_tells_its_reason(visit, new_tenant: NewTenant, language, why):
    async with visit(language, key_of(await new_tenant())) as page:
        await page.locator("#question").fill(QUESTIONS[language])
        await page.keyboard.press("Enter")
        assert why in await page.locator(".refusal").inner_text()
        other = WORDS["ko" if language == "en" else "en"]
        await page.get_by_role("banner").get_by_role("button").first.click()
        await page.get_by_role("link", name=other["documents"]).click()
        await page.get_by_role("heading", name=other["documents"]).wait_for()


@pytest.mark.parametrize("content", [ENGLISH, KOREAN], ids=["en", "ko"])
async def test_a_link_to_a_quote_marks_it_whatever_the_format(visit, new_tenant: NewTenant, content):
    client = await new_tenant()
    async with visit(key=key_of(client)) as page:
        for name in ("pdf", "docx", "hwpx", "xlsx", "html"):
            file = (f"a/{name}.{name}", MAKERS[name](content))
            await client.post("/ingest?wait=60", files={"file": file}, data={"id": f"a/{name}"})
            text = (await client.get(f"/documents/a%2F{name}/text")).json()["text"]
            start = text.index(content.second)
            span = f"start={start}&end={start + len(content.second)}"
            await page.goto(f"{page.url.partition('/console')[0]}/console/documents/a%2F{name}?{span}")
            if name == "pdf":
                await page.locator(".sheet .box").wait_for()
                await page.get_by_role("button", name="Text", exact=True).click()
            assert await marked_text(page) == content.second


async def test_two_tenants_in_two_tabs_never_mix(visit, new_tenant: NewTenant):
    one, two = await new_tenant(), await new_tenant()
    await ingest_text(one, "The ferry leaves at seven.", id="ferry")
    await ingest_text(two, "The train leaves at eight.", id="train")
    async with visit(key=key_of(one), path="/documents") as first:
        second = await first.context.new_page()
        await second.goto(first.url)
        await second.evaluate(f"sessionStorage.setItem('kyujang-key', '{key_of(two)}')")
        for _ in range(2):
            await first.reload()
            await second.reload()
            await first.locator(".documents .name").wait_for()
            await second.locator(".documents .name").wait_for()
            assert await first.locator(".documents .name").all_inner_texts() == ["ferry"]
            assert await second.locator(".documents .name").all_inner_texts() == ["train"]


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_quote_is_marked_in_a_text(visit, new_tenant: NewTenant, language):
    client = await new_tenant()
    await ingest_text(client, "👑 " + " ".join(TEXTS[language][:2]), id="text")
    async with visit(language, key_of(client)) as page:
        await page.locator("#question").fill(QUESTIONS[language])
        await page.keyboard.press("Enter")
        await page.locator("a.source").first.click()
        assert await marked_text(page) == TEXTS[language][1]


async def test_a_revoked_key_leads_to_the_sign_in(visit, new_tenant: NewTenant, anonymous):
    client = await new_tenant("revoked")
    key = key_of(client)
    async with visit("ko", key) as page:
        await page.locator("#question").wait_for()
        operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
        await anonymous.delete(f"/tenants/revoked/keys/{key.split('_')[1]}", headers=operator)
        await page.get_by_role("link", name=WORDS["ko"]["documents"]).click()
        await page.locator("#key").wait_for()
        assert "이 키는" in await page.get_by_role("alert").inner_text()
        assert await page.evaluate("sessionStorage.getItem('kyujang-key')") is None


async def test_the_enter_that_ends_a_syllable_sends_nothing(visit, new_tenant: NewTenant):
    client, asked = await new_tenant(), []
    async with visit("ko", key_of(client)) as page:
        page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/query") else None)
        box = page.locator("#question")
        await box.focus()
        keyboard = await page.context.new_cdp_session(page)
        await keyboard.send("Input.imeSetComposition", {"text": "배", "selectionStart": 1, "selectionEnd": 1})
        await box.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
        assert asked == []
        await keyboard.send("Input.insertText", {"text": "배"})
        await box.press("Enter")
        await page.locator(".question").wait_for()
        assert len(asked) == 1


async def test_a_deletion_can_be_undone_and_leaving_sends_none(visit, new_tenant: NewTenant):
    client, deleted = await new_tenant(), []
    await ingest_text(client, "The ferry leaves at seven.", id="ferry")
    async with visit(key=key_of(client), path="/documents") as page:
        page.on("request", lambda request: deleted.append(request.url) if request.method == "DELETE" else None)
        remove = page.get_by_role("button", name="Delete: ferry")
        await remove.wait_for()
        await page.clock.install()
        await remove.click()
        await page.get_by_role("button", name="Undo").click()
        await page.clock.fast_forward(9000)
        await remove.click()
        await page.get_by_role("link", name="Ask", exact=True).click()
        await page.clock.fast_forward(9000)
        await page.get_by_role("link", name="Documents").click()
        await remove.click()
        await page.clock.fast_forward(7000)
        assert deleted == []
        await page.clock.fast_forward(2000)
        await page.locator(".documents .row").wait_for(state="detached")
    assert len(deleted) == 1
    assert (await client.get("/documents/ferry")).status_code == 404
