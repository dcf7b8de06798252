"""The service and a browser, each started once for a file of tests."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from app.up import console

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# The map is drawn without a GPU, too.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="session", autouse=True)
def can_be_tried() -> None:
    """Skips where something is missing, and says what."""
    pytest.importorskip("playwright.async_api", reason="the page is tried with Playwright: make test installs it")
    if BROWSER is None:
        pytest.skip("no browser is installed: apt-get install chromium")
    if not console.is_built():
        pytest.skip("the console is not built: python -m app.up.console")


@pytest.fixture(scope="module")
async def service(anonymous: httpx.AsyncClient, worker: None) -> AsyncIterator[str]:
    app = anonymous._transport.app
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator:
    from playwright.async_api import async_playwright

    async with async_playwright() as started:
        opened = await started.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield opened
        await opened.close()


@pytest.fixture
def visit(browser, service):
    """Opens the console; at the end nothing has left the host, and the policy has refused nothing."""

    @asynccontextmanager
    async def opened(language: str = "en", key: str | None = None, path: str = "", **more):
        context = await browser.new_context(locale=language, viewport={"width": 360, "height": 740}, **more)
        page, hosts, refused = await context.new_page(), set(), []
        page.set_default_timeout(60_000)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("console", lambda said: refused.append(said.text) if "Content Security" in said.text else None)
        if key is not None:
            await context.add_init_script(
                f"sessionStorage.getItem('seen') ?? (sessionStorage.setItem('seen', '1'), "
                f"sessionStorage.setItem('kyujang-key', '{key}'))"
            )
        await page.goto(f"{service}/console{path}")
        yield page
        assert hosts <= {urlsplit(service).netloc, ""}
        assert refused == []
        assert await page.title() == "Kyujang"
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await context.close()

    return opened
