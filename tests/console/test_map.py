"""The map of the shelf in a real browser."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from PIL import Image

from tests.conftest import NewTenant, ingest_text
from tests.console.keys import key_of

TEXTS = {
    "ferry": "The ferry to the island leaves at seven.",
    "boat": "The boat to the island sails at eight.",
    "leave": "연차 휴가는 팀장이 승인한다.",
    "pay": "월급은 매달 이십오 일에 나온다.",
}
QUESTIONS = {"en": "When does the ferry leave?", "ko": "휴가는 누가 승인하나요?"}
# As src/words/ has them.
WORDS = {
    "en": ("Question", "Place on the map", "Colours by", "Whole map", "Closer"),
    "ko": ("질문", "지도에 놓기", "색으로 나누기", "전체 지도", "가까이"),
}


@pytest.fixture(scope="module")
async def tenant(new_tenant: NewTenant):
    client = await new_tenant("mapped")
    await client.post("/collections", json={"id": "sea"})
    for name, text in TEXTS.items():
        sea = {"collection": "sea"} if name in ("ferry", "boat") else {}
        await ingest_text(client, text, id=name, title=f"On the {name}", **sea)
    return client


async def colours(page) -> dict[tuple[int, ...], list[tuple[int, int]]]:
    """Return where on the canvas which colour is."""
    drawn = Image.open(io.BytesIO(await page.locator("canvas").screenshot())).convert("RGB")
    found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for x in range(3, drawn.width - 3):
        for y in range(3, drawn.height - 3):
            pixel = drawn.getpixel((x, y))
            near = [
                each for each in (BLUE, ORANGE, RED) if max(abs(a - b) for a, b in zip(each, pixel, strict=True)) < 4
            ]
            found.setdefault(near[0] if near else pixel, []).append((x, y))
    return found


def middle(places: list[tuple[int, int]]) -> dict[str, float]:
    return {axis: sum(each[at] for each in places) / len(places) for at, axis in enumerate("xy")}


BLUE, ORANGE, RED = (0, 115, 179), (214, 94, 0), (217, 26, 38)


@pytest.mark.parametrize(("language", "projection"), [("en", "pca"), ("ko", "neighbours")])
async def test_points_tell_their_text_and_a_question_its_nearest(visit, tenant, language, projection):
    question, place, by, whole, closer = WORDS[language]
    while (await tenant.get("/map", params={"projection": projection})).json()["status"] == "computing":
        await asyncio.sleep(0.1)
    async with visit(language, key_of(tenant), "/map", color_scheme="light") as page:
        page.set_default_timeout(10_000)
        await page.locator("canvas").wait_for()
        if projection != "pca":
            async with page.expect_response(lambda answer: f"projection={projection}" in answer.url):
                await page.get_by_label("놓는 기준").select_option(projection)
        await page.get_by_label(by).select_option("collection")
        assert await page.locator(".legend li").all_text_contents() == [" default (2)", " sea (2)"]
        await page.wait_for_load_state("networkidle")
        found = await colours(page)
        assert {BLUE, ORANGE} < set(found)
        await page.locator("canvas").hover(position=middle(found[ORANGE][:1]))
        await page.locator(".hovered .quoted", has_text="island").wait_for()
        await page.get_by_label(question, exact=True).last.fill(QUESTIONS[language])
        await page.get_by_role("button", name=place).click()
        first = {"en": "ferry", "ko": "leave"}[language]
        await page.locator(".nearest li").first.wait_for()
        assert TEXTS[first] in await page.locator(".nearest li").first.inner_text()
        # The question's own mark, and lines from it.
        assert len((await colours(page))[RED]) > 100
        for name in (closer, closer, whole):
            await page.get_by_role("button", name=name).click()
        again = await colours(page)
        assert {BLUE, ORANGE, RED} < set(again)
        box = middle(again[ORANGE][:1])
        await page.locator("canvas").click(position=box)
        await page.locator("mark").wait_for()
        assert await page.locator("mark").inner_text() in (TEXTS["ferry"], TEXTS["boat"])


async def test_fifty_thousand_points_are_drawn(visit, tenant):
    """They are made in the browser's stead: the server's part is not tried here."""
    number = 50_000
    points = {
        "chunk": [f"chk_{each:016x}" for each in range(number)], "document": [each % 20 for each in range(number)],
        "x": [(each * 7919 % 10007) / 10007 for each in range(number)],
        "y": [(each * 104729 % 10009) / 10009 for each in range(number)],
        "start": [0] * number, "end": [9] * number,
    }  # fmt: skip
    documents = [
        {"number": each, "id": f"doc-{each}", "title": f"Title {each}", "collection": "default", "value": None}
        for each in range(20)
    ]
    shown = {"status": "ready", "projection": "pca", "projections": ["pca"], "chunks": number, "sampled": False}
    body = {**shown, "points": points, "documents": documents}
    async with visit(key=key_of(tenant)) as page:
        await page.route(
            "**/map?*", lambda route: route.fulfill(content_type="application/json", body=json.dumps(body))
        )
        await page.get_by_role("link", name="Map", exact=True).click()
        await page.locator("canvas").wait_for()
        await page.wait_for_load_state("networkidle")
        await page.get_by_text("50,000 passages").wait_for()
        found = await colours(page)
        assert len(found[BLUE]) > 1000, sorted(((len(v), k) for k, v in found.items()), reverse=True)[:9]
        await page.get_by_role("button", name="Closer").click()
        assert len(await colours(page)) > 6
