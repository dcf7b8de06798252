"""The pictures of the console in docs/: each screen is drawn, and the pictures that are there show something.

The clock, the data and the font for Korean are fixed, so that they change with the page alone; pixels are not compared.
"""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from app.api.engines import EngineOut, EnginesOut
from app.storage.tenants import SCOPES
from tests.conftest import ADMIN_KEY, NewTenant
from tests.console.keys import key_of
from tests.console.shelf import QUESTION, fill_the_map, keep_more, tenant_with

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "assets" / "console"
# Where each screen is, and what has come when it can be drawn.
OF_TENANTS = {
    "collections": ("collections", "table"),
    "prompt": ("prompts/desk", "ins"),
    "adapters": ("adapters", "ul.cards > li"),
    "usage": ("usage", "table"),
    "webhooks": ("webhooks", "ul.cards > li"),
    "audit": ("audit", "tbody tr"),
}
OF_OPERATORS = {
    "tenants": ("tenants", "ul.cards > li"),
    "keys": ("tenants/harbour-{language}", "tbody tr"),
    "engines": ("engines", "tbody tr"),
}
DRAWN = ("signin", "welcome", "ask", "why", "quote", "documents", "evaluation", "map", *OF_TENANTS, *OF_OPERATORS)
NAMES = [f"{name}.{language}" for name in DRAWN for language in ("en", "ko")]
NOW, TODAY, KEY_ID = "2026-11-27T09:00:00Z", "2026-11-27", "4f1d09a27c3be658"
TIMINGS = '{"embed": 18.0, "search": 7.0, "prompt": 1.0, "generate": 2.0, "check": 4.0, "total": 32.0}'
# What differs each time it is drawn.
CHANGING = {
    re.compile(r'"20\d\d-\d\d-\d\dT[^"]*"'): f'"{NOW}"',
    re.compile(r'"20\d\d-\d\d-\d\d"'): f'"{TODAY}"',
    re.compile(r'"(whk_)?[0-9a-f]{16,24}"'): rf'"\g<1>{KEY_ID}"',
    re.compile(r'(?<="timings_ms":)\s*\{[^}]*\}'): TIMINGS,
}
# There is no engine here: two are made up.
ENGINES = EnginesOut(
    engines=[
        EngineOut(name=name, state="up", reason="ok", model="Qwen3-8B", context_tokens=32_768, running=3, adapters=2)
        for name in ("engine-a:8000", "engine-b:8000")
    ],
    running=6,
    waiting=0,
)
SETTLED = (
    *("query", "documents?*", "evaluations", "evaluations?*", "evaluations/*", "usage?*", "audit?*"),
    *("tenants*", "tenants/*/keys*", "webhooks*"),
)
COLOURS, MOST_BYTES = 64, 60_000
PLACE = {"en": ("Question", "Place on the map", "Colours by"), "ko": ("질문", "지도에 놓기", "색으로 나누기")}
EXAMPLES = {"en": "Take in two examples", "ko": "예제 두 편 넣기"}
WHY = {"en": "Why this answer", "ko": "이 답이 나온 까닭"}

Keep = Callable[[str], Awaitable[None]]


@pytest.fixture(scope="module")
def fonts() -> None:
    """Skips where Korean would be drawn as boxes."""
    try:
        found = subprocess.run(["fc-list", ":lang=ko"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        found = ""
    if "CJK" not in found:
        pytest.skip("no Noto CJK font is installed: apt-get install fonts-noto-cjk")


async def settled(route) -> None:
    """Give what the service answers the same times and ids whenever it is drawn."""
    answer = await route.fetch()
    text = await answer.text()
    for found, told in CHANGING.items():
        text = found.sub(told, text)
    await route.fulfill(response=answer, body=text)


@pytest.fixture
def drawing(browser, service, request, tmp_path):
    """Opens a page with a key, and gives with it what keeps a picture of it."""

    @asynccontextmanager
    async def opened(language: str, key: str | None):
        look = {"locale": language, "timezone_id": "Asia/Seoul", "viewport": {"width": 860, "height": 640}}
        context = await browser.new_context(**look, reduced_motion="reduce")
        if key is not None:
            await context.add_init_script(f"sessionStorage.setItem('kyujang-key', '{key}')")
        page = await context.new_page()
        await page.clock.set_fixed_time(NOW)
        for path in SETTLED:
            await page.route(f"{service}/{path}", settled)
        await page.route(f"{service}/engines", lambda route: route.fulfill(json=ENGINES.model_dump()))
        folder = PICTURES if request.config.getoption("--screenshots") else tmp_path

        async def keep(name: str) -> None:
            await page.wait_for_load_state("networkidle")
            drawn = await page.screenshot(animations="disabled", caret="hide")
            await asyncio.to_thread(store, folder / f"{name}.{language}.png", drawn)

        yield page, keep
        await context.close()

    return opened


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_each_screen_of_a_tenant_is_drawn(
    drawing, browser, service, new_tenant: NewTenant, services, fonts, language
):
    client, evaluation = await tenant_with(browser, new_tenant, language)
    async with drawing(language, key_of(client)) as (page, keep):
        await page.goto(f"{service}/console")
        await draw_an_answer(page, keep, language)
        await page.goto(f"{service}/console/documents")
        await page.locator(".row").nth(2).wait_for()
        await keep("documents")
        await page.goto(f"{service}/console/evaluations/{evaluation}")
        await page.locator("dl.measures").nth(1).wait_for()
        await keep("evaluation")
        await fill_the_map(client, language)
        await page.goto(f"{service}/console/map")
        await draw_the_map(page, keep, language)
        await keep_more(client, services, language)
        await draw_each(page, keep, f"{service}/console", OF_TENANTS)
    async with drawing(language, ADMIN_KEY) as (page, keep):
        at = {name: (path.format(language=language), shown) for name, (path, shown) in OF_OPERATORS.items()}
        await draw_each(page, keep, f"{service}/console", at)


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_way_in_is_drawn(drawing, service, new_tenant: NewTenant, fonts, language):
    async with drawing(language, None) as (page, keep):
        await page.goto(f"{service}/console")
        await page.locator("form.signin").wait_for()
        await keep("signin")
    async with drawing(language, key_of(await new_tenant(f"first-{language}", SCOPES))) as (page, keep):
        await page.goto(f"{service}/console")
        await page.get_by_role("button", name=EXAMPLES[language]).click()
        await page.locator("ul.plain button").first.wait_for()
        await keep("welcome")


async def draw_an_answer(page, keep: Keep, language: str) -> None:
    await page.locator("#question").fill(QUESTION[language])
    await page.locator("#question").press("Enter")
    await page.locator("a.source").first.wait_for()
    await keep("ask")
    await page.get_by_text(WHY[language]).click()
    await page.locator("tbody tr").first.wait_for()
    await page.get_by_text(WHY[language]).scroll_into_view_if_needed()
    await keep("why")
    await page.locator("a.source").first.click()
    await page.locator(".sheet .box").wait_for()
    await keep("quote")


async def draw_the_map(page, keep: Keep, language: str) -> None:
    await page.locator("canvas").wait_for()
    question, place, by = PLACE[language]
    await page.get_by_label(by).select_option("collection")
    await page.get_by_label(question, exact=True).last.fill(QUESTION[language])
    await page.get_by_role("button", name=place).click()
    await page.locator(".nearest li").first.wait_for()
    await page.evaluate("scrollTo(0, 0)")
    await keep("map")


async def draw_each(page, keep: Keep, console: str, screens: dict[str, tuple[str, str]]) -> None:
    for name, (path, shown) in screens.items():
        await page.goto(f"{console}/{path}")
        await page.locator(shown).first.wait_for()
        await keep(name)


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
def test_each_picture_is_in_the_guide_and_not_blank(name):
    assert_shows_something(PICTURES / f"{name}.png")
    docs = PICTURES.parents[1]
    guide = (docs / "ko" if name.endswith(".ko") else docs) / "guides" / "console.md"
    assert f"assets/console/{name}.png" in guide.read_text()
