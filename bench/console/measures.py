"""What is measured of the page, each a table of its own."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from app.up.console import BUILT, FOLDER
from bench.console.browser import NARROW, Browser, Page
from bench.console.served import OPERATOR, TOKENS, Served

Table = list[list[str]]

VISITS, QUIET_S = 5, 2
# As Lighthouse imitates a telephone: a fourth of the processor, 150 ms there and back, 1.6 Mbit/s.
SLOWER, SLOW_NETWORK = 4, {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
SCREENS = {
    "few": [
        "", "/documents", "/documents/room", "/map", "/collections", "/prompts", "/prompts/desk", "/adapters",
        "/evaluations", "/usage", "/audit",
    ],
    "operator": ["/tenants", "/tenants/few", "/engines", "/usage", "/audit"],
}  # fmt: skip
IMPACTS = ("critical", "serious", "moderate", "minor")
PACES = (20, 100)
SCROLLED_PX, PX_PER_S = 30_000, 6_000
POINTS, MOVES = 50_000, 120


async def interactive(browser: Browser, served: Served) -> Table:
    """From the address to a field that takes the question, and no task after it that takes long."""
    rows = [["", "first paint", "usable", "interactive", "blocked by long tasks", "transferred"]]
    for name, slow in (("as it is", False), ("a telephone, imitated", True)):
        visits = [await _visit(browser, served, slow=slow) for _ in range(VISITS)]
        middle = [statistics.median(each) for each in zip(*visits, strict=True)]
        rows.append([name, *(f"{each:,.0f} ms" for each in middle[:4]), f"{middle[4] / 1000:.1f} kB"])
    return rows


async def _visit(browser: Browser, served: Served, *, slow: bool) -> list[float]:
    async with browser.page(served.few, size=NARROW) as opened:
        bytes_taken: list[float] = []
        opened.tools.on("Network.loadingFinished", lambda event: bytes_taken.append(event["encodedDataLength"]))
        if slow:
            await opened.tools.send("Network.emulateNetworkConditions", SLOW_NETWORK)
            await opened.tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        await opened.page.goto(browser.address())
        await opened.page.locator("#question").wait_for()
        await asyncio.sleep(QUIET_S)
        seen = await opened.page.evaluate("seen")
        paint = await opened.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
        last = max((start + taken for start, taken in seen["long"]), default=0)
        blocked = sum(taken - 50 for _, taken in seen["long"])
        return [paint, seen["usable"], max(seen["usable"], last), blocked, sum(bytes_taken)]


def sizes() -> Table:
    rows = [["file", "as it is", "gzip", "Brotli"]]
    files = sorted(path for path in (BUILT / "assets").iterdir() if path.suffix in (".js", ".css"))
    all_sizes = [[path.with_name(path.name + each).stat().st_size for each in ("", ".gz", ".br")] for path in files]
    named = [*(path.name for path in files), "**together**"]
    for name, found in zip(named, [*all_sizes, [sum(each) for each in zip(*all_sizes, strict=True)]], strict=True):
        rows.append([name, *(f"{each / 1000:.1f} kB" for each in found)])
    return rows


async def accessible(browser: Browser, served: Served) -> Table:
    """Count what axe-core's rules say of each screen at 360 px, in English and light, in Korean and dark."""
    rows = [["", "screens", "rules that passed", *IMPACTS, "left to a person"]]
    for language, scheme in (("en", "light"), ("ko", "dark")):
        passed, broken, unsure, count = 0, dict.fromkeys(IMPACTS, 0), 0, 0
        for whose, paths in SCREENS.items():
            key = OPERATOR if whose == "operator" else served.few
            async with browser.page(key, language, NARROW, color_scheme=scheme) as opened:
                for path in paths:
                    found = await _axe(browser, opened, path)
                    passed, unsure, count = passed + len(found["passes"]), unsure + len(found["incomplete"]), count + 1
                    for each in found["violations"]:
                        broken[each["impact"]] += 1
        rows.append([f"{language}, {scheme}", *map(str, (count, passed, *broken.values(), unsure))])
    return rows


async def _axe(browser: Browser, opened: Page, path: str) -> dict[str, Any]:
    await opened.page.goto(browser.address(path))
    await opened.page.locator("h1").first.wait_for(state="attached")
    await opened.page.wait_for_load_state("networkidle")
    await opened.page.evaluate(AXE.read_text())
    found: dict[str, Any] = await opened.page.evaluate("axe.run()")
    return found


async def streamed(browser: Browser, served: Served) -> Table:
    """What an answer of 500 tokens takes of a core while it comes."""
    rows = [
        [
            "tokens a second",
            "seconds",
            "main thread",
            "of it scripts",
            "its process",
            "the process that draws",
            "long tasks",
        ]
    ]
    for pace in (*PACES, None):
        async with browser.page(served.few) as opened:
            await opened.page.goto(browser.address())
            await opened.page.locator("#question").fill("When does the reading room open?")
            await asyncio.sleep(QUIET_S)
            await opened.page.evaluate("Object.assign(seen, { long: [] })")
            before, started = await opened.seconds(), time.perf_counter()
            if pace is None:
                await asyncio.sleep(TOKENS / PACES[0])
            else:
                served.pace(pace)
                await opened.page.locator("#question").press("Enter")
                await opened.page.locator(".about").wait_for()
            taken, after = time.perf_counter() - started, await opened.seconds()
            shares = [f"{100 * (after[name] - before[name]) / taken:.1f} %" for name in before]
            long = len(await opened.page.evaluate("seen.long"))
        rows.append([str(pace or "nothing is asked"), f"{taken:.1f}", *shares, str(long)])
    return rows


async def scrolled(browser: Browser, served: Served) -> Table:
    """Scroll a list of many documents at its beginning, to its end, and within it."""
    async with browser.page(served.many) as opened:
        await opened.page.goto(browser.address("/documents"))
        await opened.page.locator(".row").first.wait_for()
        await asyncio.sleep(QUIET_S)
        rows = [FRAMES, ["while more is fetched", *_frames(*await _scroll(opened))]]
        fetched = await _to_the_end(opened, served.documents)
        await opened.page.locator("ul.documents").evaluate("box => box.scrollTo(0, box.scrollHeight / 2)")
        await asyncio.sleep(QUIET_S)
        rows.append([f"among {served.documents:,}, all fetched", *_frames(*await _scroll(opened))])
        count = await opened.page.locator(".row").count()
    return [*rows, [f"to the end of all: {fetched:.0f} s; rows in the page: {count}", *[""] * (len(FRAMES) - 1)]]


FRAMES = ["", "frames a second", "95 % of them within", "the longest", "long tasks", "the longest"]


def _frames(between: Sequence[float], long: Sequence[float]) -> list[str]:
    times = np.array(between)
    shown = f"{1000 * len(times) / times.sum():.0f}", f"{np.quantile(times, 0.95):.0f} ms", f"{times.max():.0f} ms"
    return [*shown, str(len(long)), f"{max(long, default=0):.0f} ms"]


async def _scroll(opened: Page) -> tuple[list[float], list[float]]:
    box = await opened.page.locator("ul.documents").bounding_box()
    middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await opened.page.evaluate("draw()")
    gesture = {
        **middle,
        "yDistance": -SCROLLED_PX,
        "speed": PX_PER_S,
        "gestureSourceType": "mouse",
        "preventFling": True,
    }
    await opened.tools.send("Input.synthesizeScrollGesture", gesture)
    return await opened.drawn()


async def _to_the_end(opened: Page, documents: int) -> float:
    """Return the seconds until the last row is drawn."""
    started = time.perf_counter()
    last = f"copy-{documents:06d}"
    await opened.page.evaluate(
        """async (last) => {
            const box = document.querySelector("ul.documents");
            while (![...box.querySelectorAll(".row")].some((row) => row.textContent.includes(last))) {
                box.scrollTo(0, box.scrollHeight);
                await new Promise((next) => setTimeout(next, 10));
            }
        }""",
        last,
    )
    return time.perf_counter() - started


async def map_turned(browser: Browser, served: Served) -> Table:
    """Drag and zoom 50,000 points, which are made up here."""
    async with browser.page(served.few) as opened:
        body = json.dumps(_points())
        await opened.page.route(
            f"{served.url}/map?*", lambda route: route.fulfill(content_type="application/json", body=body)
        )
        await opened.page.goto(browser.address("/map"))
        canvas = opened.page.locator("canvas")
        await canvas.wait_for()
        await asyncio.sleep(QUIET_S)
        box = await canvas.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        rows = [FRAMES]
        await opened.page.mouse.move(x, y)
        await opened.page.mouse.down()
        await opened.page.evaluate("draw()")
        for each in range(MOVES):
            await opened.page.mouse.move(x + 80 * np.sin(each / 10), y + 80 * np.cos(each / 10))
        rows.append(["dragged", *_frames(*await opened.drawn())])
        await opened.page.mouse.up()
        await opened.page.evaluate("draw()")
        for each in range(MOVES):
            await opened.page.mouse.wheel(0, 20 if each % 40 < 20 else -20)
        rows.append(["zoomed", *_frames(*await opened.drawn())])
        await opened.page.evaluate("draw()")
        for each in range(MOVES):
            await opened.page.mouse.move(x + 80 * np.sin(each / 10), y + 80 * np.cos(each / 10))
        rows.append(["pointed at", *_frames(*await opened.drawn())])
    return rows


def _points() -> dict[str, Any]:
    places = np.random.default_rng(0).standard_normal((POINTS, 2)).round(4)
    listed = range(POINTS)
    points = {
        "chunk": [f"chk_{each:016x}" for each in listed], "document": [each % 20 for each in listed],
        "x": places[:, 0].tolist(), "y": places[:, 1].tolist(), "start": [0] * POINTS, "end": [9] * POINTS,
    }  # fmt: skip
    named = {"title": None, "collection": "default", "value": None}
    documents = [{"number": each, "id": f"document-{each}", **named} for each in range(20)]
    shown = {"status": "ready", "projection": "pca", "projections": ["pca"], "chunks": POINTS, "sampled": False}
    return {**shown, "points": points, "documents": documents}
