"""kill -9 of the worker while it reads a long scan: no page that was finished is read again."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import pairwise
from random import Random

import psycopg
import pytest
from PIL import Image

from app.up.child import Child, ChildSpec
from tests.conftest import ROOT
from tests.ingest.ocr.scanned import as_pdf, needs_tesseract, sample
from tests.ingest.working import rows, until

pytestmark = [pytest.mark.usefixtures("nothing_queued"), needs_tesseract]

PAGES_A_DEATH, MAX_DEATHS = 15, 20
# After the last death, so that no life finishes the scan.
PAGES_LEFT = 10
# A page takes about as long.
INSIDE_S = 0.2
LIMIT_S = 300
WORD = "규장각"


@pytest.fixture
def pages(request) -> int:
    return int(request.config.getoption("--pages"))


@pytest.fixture
def new_life(settings, tmp_path):
    """Starts the worker, which is killed at a page."""
    environment = {
        **os.environ,
        "KYUJANG_SERVICE_DATABASE_URL": settings.service_url,
        "KYUJANG_HOME": str(settings.home),
        "KYUJANG_ENGINE": "none",
        "KYUJANG_LEASE_S": "60",
    }
    lives: list[Child] = []

    def start(page: int, seconds: float) -> Child:
        arguments = (str(tmp_path / "notes"), str(page), str(seconds))
        argv = [sys.executable, "-m", "tests.ingest.dying_worker", *arguments]
        lives.append(Child(ChildSpec("worker", argv, environment, tmp_path / "worker.log", cwd=ROOT)))
        lives[-1].start()
        return lives[-1]

    yield start
    lives[-1].stop()


def small_pages(count: int) -> bytes:
    """A word each, so that each is read in a moment."""
    page = Image.new("L", (300, 200), 255)
    page.paste(sample("ko").crop((0, 0, 160, 110)), (60, 40))
    return as_pdf([page] * count)


async def test_a_scan_whose_worker_is_killed_is_read_once(new_life, new_tenant, owner_url, pages, tmp_path):
    client = await new_tenant()
    answer = await client.post("/ingest", files={"file": ("scan.pdf", small_pages(pages))}, data={"id": "scan"})
    chances = Random(4)
    deaths = sorted(chances.sample(range(2, pages - PAGES_LEFT), min(MAX_DEATHS, pages // PAGES_A_DEATH)))
    for page in deaths:
        await ended(new_life(page, chances.random() * INSIDE_S))
        end_lease(owner_url)
    new_life(pages + 1, 0)
    job = await until(client, answer.json()["id"], "succeeded", "failed", timeout=LIMIT_S * max(1, pages // 30))
    assert job["documents"][0]["pages"] == {"text": 0, "ocr": pages, "unreadable": 0}
    assert (await client.get("/documents/scan/text")).json()["text"].split() == [WORD] * pages
    lives = lives_of((tmp_path / "notes").read_text())
    assert len(lives) == len(deaths) + 1
    for before, after in pairwise(lives):
        # Only the page that was at hand at the death.
        assert after[0] in (before[-1], before[-1] + 1)
    assert all(life == list(range(life[0], life[-1] + 1)) for life in lives)
    assert (lives[0][0], lives[-1][-1]) == (1, pages)
    assert rows(owner_url, "select count(*) from staged_pages") == [(0,)]


async def ended(life: Child) -> None:
    async with asyncio.timeout(LIMIT_S):
        while life.alive:
            await asyncio.sleep(0.02)


def end_lease(owner_url: str) -> None:
    """Need not be waited for."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        connection.execute("update job_items set lease_until = now() where lease_until is not null")


def lives_of(notes: str) -> list[list[int]]:
    """Return the pages that each process began, in order."""
    lives: dict[str, list[int]] = {}
    for process, page in map(str.split, notes.splitlines()):
        lives.setdefault(process, []).append(int(page))
    return list(lives.values())
