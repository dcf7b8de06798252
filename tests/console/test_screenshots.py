"""The pictures of the console in docs/: each screen is drawn, and the pictures that are there show something.

The clock, the data and the font for Korean are fixed, so that they change with the page alone; pixels are not compared.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from app.storage.tenants import SCOPES
from tests.conftest import NewTenant, ingest_text
from tests.console.keys import key_of

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "assets" / "console"
NAMES = [
    f"{name}.{language}" for name in ("ask", "quote", "documents", "evaluation", "map") for language in ("en", "ko")
]
NOW = "2026-11-27T09:00:00Z"
TIME = re.compile(r'"20\d\d-\d\d-\d\dT[^"]*"')
COLOURS, MOST_BYTES = 64, 60_000
NOTICE = {
    "en": [
        "Harbour regulations",
        "The ferry to the island leaves at seven in the morning.",
        "Dogs travel on the upper deck.",
        "The lamp of the pier is lit at dusk by the keeper.",
        "In fog the bell rings every two minutes.",
        "Tickets are sold until ten minutes before departure.",
    ],
    "ko": [
        "항구 규칙",
        "섬으로 가는 배는 아침 일곱 시에 떠난다.",
        "개는 위층 갑판에 탄다.",
        "부두의 등대는 해가 지면 등대지기가 켠다.",
        "안개가 끼면 종이 이 분마다 울린다.",
        "표는 떠나기 십 분 전까지 판다.",
    ],
}
QUESTION = {"en": "When is the lamp of the pier lit?", "ko": "부두의 등대는 언제 켜나요?"}
MORE = {
    "en": {"Fees of the moorings": "A mooring costs 30 euros a night.", "Library hours": "The library opens at nine."},
    "ko": {"정박 요금": "하룻밤 정박은 삼만 원이다.", "도서관 시간": "도서관은 아홉 시에 연다."},
}


# So that the map has groups: what is said of each thing of a subject.
SUBJECTS = {
    "en": {"boats": ("The {} is tied up at the pier.", "ferry tug barge yacht raft canoe"),
           "books": ("The {} stands on the second shelf.", "atlas novel diary bible lexicon score"),
           "meals": ("The {} is served with bread at noon.", "soup stew salad roast omelette curry")},
    "ko": {"boats": ("{}은 부두에 매여 있다.", "여객선 예인선 화물선 어선 범선 유람선"),
           "books": ("{}은 둘째 서가에 꽂혀 있다.", "지도책 소설책 일기장 경전 사전 시집"),
           "meals": ("{}은 점심에 빵과 함께 나온다.", "국밥 비빔밥 볶음밥 갈비찜 된장국 달걀찜")},
}  # fmt: skip
PLACE = {"en": ("Question", "Place on the map", "Colours by"), "ko": ("질문", "지도에 놓기", "색으로 나누기")}


@pytest.fixture(scope="module")
def fonts() -> None:
    """Skips where Korean would be drawn as boxes."""
    try:
        found = subprocess.run(["fc-list", ":lang=ko"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        found = ""
    if "CJK" not in found:
        pytest.skip("no Noto CJK font is installed: apt-get install fonts-noto-cjk")


async def printed(browser, lines: list[str]) -> bytes:
    """Return a PDF with the glyphs of its letters."""
    page = await browser.new_page()
    await page.set_content("<style>p { font: 22px sans-serif }</style>" + "".join(f"<p>{line}</p>" for line in lines))
    file = await page.pdf(format="A4", margin={"top": "1cm", "left": "2cm"})
    await page.close()
    return file


async def tenant_with(browser, new_tenant: NewTenant, language: str):
    client, lines = await new_tenant(f"harbour-{language}", SCOPES), NOTICE[language]
    file = ("harbour.pdf", await printed(browser, lines))
    answer = await client.post("/ingest?wait=60", files={"file": file}, data={"id": "harbour.pdf"})
    assert answer.json()["status"] == "succeeded"
    await client.patch("/documents/harbour.pdf", json={"title": lines[0]})
    for number, (title, text) in enumerate(MORE[language].items()):
        await ingest_text(client, text, id=f"notice-{number}", title=title)
    known = {"documents": ["harbour.pdf"], "expected": lines[1:]}
    cases = [{"input": each, **known} for each in (QUESTION[language], *lines[4:], *MORE[language])]
    cases.append({"input": "Who painted the chapel?", "answerable": False})
    run = await client.post("/evaluations?wait=60", json={"cases": cases, "compare": [{}, {"mode": "lexical"}]})
    return client, run.json()["id"]


async def settled(route) -> None:
    """Give what the service answers the same time whenever it is drawn."""
    answer = await route.fetch()
    await route.fulfill(response=answer, body=TIME.sub(json.dumps(NOW), await answer.text()))


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_each_screen_is_drawn(browser, service, new_tenant: NewTenant, fonts, request, tmp_path, language):
    client, evaluation = await tenant_with(browser, new_tenant, language)
    look = {"locale": language, "timezone_id": "Asia/Seoul", "viewport": {"width": 860, "height": 640}}
    context = await browser.new_context(**look, reduced_motion="reduce")
    await context.add_init_script(f"sessionStorage.setItem('kyujang-key', '{key_of(client)}')")
    page = await context.new_page()
    await page.clock.set_fixed_time(NOW)
    for path in ("documents?*", "evaluations", "evaluations?*", "evaluations/*"):
        await page.route(f"{service}/{path}", settled)
    folder = PICTURES if request.config.getoption("--screenshots") else tmp_path

    async def keep(name: str) -> None:
        await page.wait_for_load_state("networkidle")
        drawn = await page.screenshot(animations="disabled", caret="hide")
        await asyncio.to_thread(store, folder / f"{name}.{language}.png", drawn)

    await page.goto(f"{service}/console")
    await page.locator("#question").fill(QUESTION[language])
    await page.locator("#question").press("Enter")
    await page.locator("a.source").first.wait_for()
    await keep("ask")
    await page.locator("a.source").first.click()
    await page.locator(".sheet .box").wait_for()
    await keep("quote")
    await page.goto(f"{service}/console/documents")
    await page.locator(".row").nth(2).wait_for()
    await keep("documents")
    await page.goto(f"{service}/console/evaluations/{evaluation}")
    await page.locator("dl.measures").nth(1).wait_for()
    await keep("evaluation")
    await fill_the_map(client, language)
    await page.goto(f"{service}/console/map")
    await page.locator("canvas").wait_for()
    question, place, by = PLACE[language]
    await page.get_by_label(by).select_option("collection")
    await page.get_by_label(question, exact=True).last.fill(QUESTION[language])
    await page.get_by_role("button", name=place).click()
    await page.locator(".nearest li").first.wait_for()
    await page.evaluate("scrollTo(0, 0)")
    await keep("map")
    await context.close()


async def fill_the_map(client, language: str) -> None:
    for name, (said, things) in SUBJECTS[language].items():
        await client.post("/collections", json={"id": name})
        texts = [said.format(each) for each in things.split()]
        documents = [{"id": f"{name}-{number}", "text": text, "collection": name} for number, text in enumerate(texts)]
        sent = await client.post("/ingest?wait=60", json={"documents": documents})
        assert sent.json()["status"] == "succeeded", sent.text


def store(path: Path, drawn: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(drawn)).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    assert_shows_something(path)


def assert_shows_something(path: Path) -> None:
    with Image.open(path) as picture:
        width, height = picture.size
        _, *others = sorted(picture.convert("RGB").getcolors(1 << 16), reverse=True)
    assert (width, height) == (860, 640)
    # Neither one colour, nor a few words in a corner.
    assert len(others) > 8
    assert sum(count for count, _ in others) > 0.02 * width * height
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_each_picture_is_there_and_not_blank(name):
    assert_shows_something(PICTURES / f"{name}.png")
