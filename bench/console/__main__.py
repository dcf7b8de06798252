"""What the console costs a browser: python -m bench.console FOLDER. It needs Chromium and the built console.

FOLDER keeps an embedded PostgreSQL. The engine is made up: it says 500 tokens at a steady pace. Nothing is drawn by a
GPU.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from app.up.console import is_built
from app.up.postgres import EmbeddedPostgres
from bench.console import measures
from bench.console.browser import browser
from bench.console.served import served
from bench.ingest.home import Home
from bench.retrieval.report import table

PARTS = {
    "interactive": measures.interactive, "accessible": measures.accessible, "streamed": measures.streamed,
    "scrolled": measures.scrolled, "map": measures.map_turned,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated")
    options = parser.parse_args()
    if not is_built():
        raise SystemExit("The console is not built: python -m app.up.console")
    print(table(measures.sizes()))
    with EmbeddedPostgres(options.folder / "postgres") as server:
        home = Home(options.folder, server, [])
        home.empty()
        asyncio.run(measure(home, options.documents, options.parts.split(",")))


async def measure(home: Home, documents: int, parts: list[str]) -> None:
    async with served(home, documents) as service, browser(service) as opened:
        for part in parts:
            print(f"\n{part}\n", table(await PARTS[part](opened, service)), sep="\n", flush=True)


if __name__ == "__main__":
    main()
