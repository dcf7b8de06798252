"""The page in Chromium, and what the browser itself says of its cost."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bench.console.served import Served

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
# What is drawn and what holds the page up, from the first moment on.
WATCH = """
window.seen = { frames: [], long: [], usable: null, drawing: false };
const keep = (list) => list.getEntries().forEach((each) => seen.long.push([each.startTime, each.duration]));
new PerformanceObserver(keep).observe({ type: "longtask", buffered: true });
const found = new MutationObserver(() => {
  if (document.querySelector("#question") !== null) { seen.usable = performance.now(); found.disconnect(); }
});
found.observe(document, { childList: true, subtree: true });
window.draw = () => {
  Object.assign(seen, { frames: [], long: [], drawing: true });
  const next = (at) => { seen.frames.push(at); if (seen.drawing) requestAnimationFrame(next); };
  requestAnimationFrame(next);
};
"""


@dataclass(frozen=True)
class Page:
    """`page` is Playwright's; `tools` a session of Chromium's protocol with it, `whole` one with the browser."""

    page: Any
    tools: Any
    whole: Any

    async def seconds(self) -> dict[str, float]:
        """Return seconds since the start: of the main thread's tasks, of scripts, and of the processes' threads."""
        found = (await self.tools.send("Performance.getMetrics"))["metrics"]
        named = {each["name"]: each["value"] for each in found}
        processes = (await self.whole.send("SystemInfo.getProcessInfo"))["processInfo"]
        spent = {
            kind: sum(each["cpuTime"] for each in processes if each["type"] == kind) for kind in ("renderer", "GPU")
        }
        return {"tasks": named["TaskDuration"], "scripts": named["ScriptDuration"], **spent}

    async def drawn(self) -> tuple[list[float], list[float]]:
        """Return the milliseconds between frames, and those of long tasks, since `draw()` was called."""
        seen = await self.page.evaluate("seen.drawing = false, seen")
        frames: list[float] = seen["frames"]
        between = [after - before for before, after in itertools.pairwise(frames)]
        return between, [each[1] for each in seen["long"]]


class Browser:
    def __init__(self, opened: Any, served: Served) -> None:
        self._opened, self._served = opened, served

    @asynccontextmanager
    async def page(
        self, key: str, language: str = "en", size: dict[str, int] | None = None, **more: Any
    ) -> AsyncIterator[Page]:
        """Open one with an empty cache that has not gone anywhere yet."""
        context = await self._opened.new_context(locale=language, viewport=size or WIDE, **more)
        await context.add_init_script(f"sessionStorage.setItem('kyujang-key', '{key}');{WATCH}")
        page = await context.new_page()
        page.set_default_timeout(60_000)
        tools = await context.new_cdp_session(page)
        # Seconds of the processor: what else the machine does is not the page's.
        await tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        await tools.send("Network.enable")
        try:
            yield Page(page, tools, await self._opened.new_browser_cdp_session())
        finally:
            await context.close()

    def address(self, path: str = "") -> str:
        return f"{self._served.url}/console{path}"


@asynccontextmanager
async def browser(served: Served) -> AsyncIterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise SystemExit("No browser is installed: apt-get install chromium.")
    async with import_module("playwright.async_api").async_playwright() as started:
        opened = await started.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield Browser(opened, served)
        await opened.close()
