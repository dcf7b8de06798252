"""Compares searches of scanned paragraphs with those of their text: python -m bench.scanned_shelf --help.

Korean paragraphs with a question each are printed, scanned (200 dpi, 2° crooked, with grain) and read by OCR as a
worker does. Their text as it is written is one shelf, and what OCR made of it another. A run that was
stopped goes on after the last page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
from collections.abc import Mapping
from html import escape
from pathlib import Path
from random import Random

import httpx
import numpy as np
import pypdfium2
from PIL import Image
from pydantic import SecretStr

from app.bootstrap import open_services
from app.cli.client import FINISHED, call_async
from app.embedding.e5 import E5Encoder
from app.evaluation.metrics import MEASURES, Values, bootstrap, measure
from app.evaluation.questions import CorpusDocument
from app.main import create_app
from app.settings import Settings
from app.storage.migrate import migrate
from app.up.postgres import EmbeddedPostgres
from bench.answer.data import Question, corpus, questions
from bench.ocr import as_scanned, compared, drawn
from bench.retrieval.progress import say
from bench.service import ROOT
from ingest.loading.formats import PDF
from ingest.ocr.reader import OcrLimits, OcrReader
from ingest.worker import run

SEED, TOP_K = 7, 10
DPI, DEGREES, GRAIN = 200, 2.0, 12.0
SOURCE = "KorQuAD"
LIMITS = OcrLimits(memory_mb=2048, page_s=600)
STYLE = (
    "@page { size: A4; margin: 15mm } body { font: 10pt Noto Serif CJK KR; line-height: 1.5 }"
    " section { break-after: page } h1 { font-size: 13pt }"
)


def main() -> None:
    options = _parser().parse_args()
    asked, documents = sample(options.data / "ko", options.paragraphs)
    folder = options.home / "scans"
    folder.mkdir(parents=True, exist_ok=True)
    print_all(options.home, documents)
    scan_all(options.home / "print" / "pages.pdf", folder, documents)
    asyncio.run(read_all(folder, documents))
    read = [each.model_copy(update={"text": (folder / f"{each.id}.txt").read_text()}) for each in documents]
    report_words(documents, read)
    values = {}
    for name, shelf in (("text", documents), ("scans", read)):
        values[name] = search_all(options.home / f"shelf-{name}", shelf, asked)
    report(values)


def sample(folder: Path, count: int) -> tuple[list[Question], list[CorpusDocument]]:
    """Return questions and their paragraphs, drawn with the seed. What is printed has the title above it."""
    sources = {row["query_id"]: row["source"] for row in map(json.loads, (folder / "queries.jsonl").open())}
    known = {document.id: document for document in corpus(folder)}
    found = [each for each in questions(folder, "ko", None, 0, SEED) if SOURCE in sources[each.id]]
    asked = Random(SEED).sample(sorted(found, key=lambda each: each.id), count)
    documents = [known[each] for each in sorted({name for question in asked for name in question.gold})]
    return asked, [CorpusDocument(_id=each.id, text=f"{each.title}\n\n{each.text}") for each in documents]


def print_all(home: Path, documents: list[CorpusDocument]) -> None:
    """One page each, by WeasyPrint in the environment of bench.tables."""
    folder = home / "print"
    if (folder / "pages.pdf").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    body = "".join(_section(document.text) for document in documents)
    (folder / "pages.html").write_text(f"<meta charset=utf-8><style>{STYLE}</style>{body}")
    subprocess.run([home / "peers/bin/python", "-m", "bench.tables.peers", "print", folder], cwd=ROOT, check=True)


def _section(text: str) -> str:
    title, _, paragraph = text.partition("\n\n")
    return f"<section><h1>{escape(title)}</h1><p>{escape(paragraph)}</p></section>"


def scan_all(printed: Path, folder: Path, documents: list[CorpusDocument]) -> None:
    pages = pypdfium2.PdfDocument(printed)
    if len(pages) != len(documents):
        raise SystemExit(f"{len(documents)} paragraphs fill {len(pages)} pages: make the type smaller.")
    for number, (page, document) in enumerate(zip(pages, documents, strict=True)):
        to = folder / f"{document.id}.pdf"
        if not to.exists():
            grey = as_scanned(drawn(page, DPI), DEGREES if number % 2 else -DEGREES, GRAIN, seed=number)
            Image.fromarray(grey).save(to, "PDF", resolution=DPI, quality=80)


async def read_all(folder: Path, documents: list[CorpusDocument]) -> None:
    left = [each for each in documents if not (folder / f"{each.id}.txt").exists()]
    for done, document in enumerate(left, 1):
        async with OcrReader(folder / f"{document.id}.pdf", PDF, LIMITS) as reader:
            page = await reader.read(1)
        if page.unreadable:
            raise SystemExit(f"{document.id}: {page.unreadable}")
        (folder / f"{document.id}.txt").write_text(page.text)
        say(f"read {done} of {len(left)}")


def search_all(home: Path, documents: list[CorpusDocument], asked: list[Question]) -> Values:
    """Ingest the documents into a service in this process, with the packaged embedder, and measure the questions."""
    home.mkdir(mode=0o711, exist_ok=True)
    with EmbeddedPostgres(home / "postgres") as server:
        settings = Settings(database_url=SecretStr(server.owner_url), home=home, engine="none", auth="off")
        migrate(settings, dimension=lambda: E5Encoder.dimension)
        return asyncio.run(served(settings, documents, asked))


async def served(settings: Settings, documents: list[CorpusDocument], asked: list[Question]) -> Values:
    async with open_services(settings) as services:
        app, stop = create_app(settings, services), asyncio.Event()
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=600) as client,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(run(services, stop))
            await ingested(client, documents)
            stop.set()
            return np.array([await ranked(client, question) for question in asked])


async def ingested(client: httpx.AsyncClient, documents: list[CorpusDocument]) -> None:
    body = {"documents": [document.model_dump(exclude_none=True) for document in documents]}
    job = await call_async(client, "POST", "/ingest", json=body)
    while job["status"] not in FINISHED:
        await asyncio.sleep(5)
        job = await call_async(client, "GET", f"/jobs/{job['id']}")
        say(f"ingested {job['counts']}")
    if job["counts"]["failed"]:
        raise SystemExit(f"Documents were not ingested: {job['counts']}")


async def ranked(client: httpx.AsyncClient, question: Question) -> list[float]:
    body = {"input": question.text, "top_k": TOP_K, "mode": "hybrid"}
    contexts = (await call_async(client, "POST", "/search", json=body))["contexts"]
    ranking = list(dict.fromkeys(context["document_id"] for context in contexts))
    return list(measure(ranking, question.gold).values())


def report_words(written: list[CorpusDocument], read: list[CorpusDocument]) -> None:
    figures = np.array([compared(one.text, two.text) for one, two in zip(written, read, strict=True)])
    shares = figures[:, :2].T @ figures[:, 2] / figures[:, 2].sum()
    print(f"Words of Hangul: {int(figures[:, 2].sum())}, precision {shares[0]:.3f}, recall {shares[1]:.3f}")


def report(values: Mapping[str, Values]) -> None:
    print(f"| shelf | {' | '.join(MEASURES)} |\n|{' --- |' * (len(MEASURES) + 1)}")
    for name, rows in values.items():
        low, high = bootstrap(rows)
        cells = (f"{mean:.3f} [{a:.3f}, {b:.3f}]" for mean, a, b in zip(rows.mean(axis=0), low, high, strict=True))
        print(f"| {name} | {' | '.join(cells)} |")
    text, scans = (values[name].mean(axis=0)[-1] for name in ("text", "scans"))
    print(f"{MEASURES[-1]} of the scans is {scans / text:.3f} of that of the text.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scanned_shelf", description="Searches of scans measured")
    parser.add_argument("--home", type=Path, required=True, help="where bench.tables is installed; keeps all pages")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the evaluation data")
    parser.add_argument("--paragraphs", type=int, default=200)
    return parser


if __name__ == "__main__":
    main()
