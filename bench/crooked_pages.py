"""Reads by OCR pages that were printed from Korean documents and scanned crooked: python -m bench.crooked_pages --help.

What Kyujang reads in hwpx, hwp, html and md files is printed, and the pages drawn at 200 dpi, turned by up to 3° and
with grain. The gold is the text layer of the print. Even pages are for tuning, odd ones for the report; what is read is
kept in the folder, and a run that was stopped goes on there.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pypdfium2
from PIL import Image

from app.language.hangul import HAS_SYLLABLE
from bench.ocr import SCANNED_DPI, WORD, as_scanned, drawn
from bench.retrieval.progress import say
from bench.service import ROOT
from ingest.loading.formats import detect
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse
from ingest.ocr.page import PageReader
from ingest.ocr.pictures import DPI, Picture

KINDS = (".hwpx", ".hwp", ".html", ".md")
PAGES_FIRST, PAGES_EACH = 3, 6
MAX_CHARACTERS = 12_000
MAX_DEGREES, GRAIN, SEED = 3.0, 12.0, 7
HALVES = ("tuning", "report")
ANY_WORD = re.compile(r"\w+")
HEADING = re.compile(r"(#{1,6}) (.*)")
STYLE = (
    "@page { size: A4; margin: 20mm } body { font: 10pt Noto Serif CJK KR; line-height: 1.6; word-break: keep-all }"
    " table { border-collapse: collapse; width: 100% } td { border: 0.75pt solid; padding: 1mm }"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.crooked_pages", description="OCR of crooked pages measured")
    parser.add_argument("--home", type=Path, required=True, help="where bench.tables is installed; keeps all pages")
    parser.add_argument("--documents", type=Path, required=True, help="a folder of hwpx, hwp, html and md files")
    parser.add_argument("--half", choices=HALVES, help="only this one")
    options = parser.parse_args()
    folder = options.home / "crooked"
    print_all(options.home / "peers/bin/python", options.documents, folder)
    done = folder / "read.jsonl"
    rows = [json.loads(line) for line in done.read_text().splitlines()] if done.exists() else []
    reader = PageReader()
    for path, number, half in pages(folder):
        if options.half in (None, half) and (path.stem, number) not in {(row["file"], row["page"]) for row in rows}:
            rows.append({"file": path.stem, "page": number, "half": half, **read(reader, path, number)})
            with done.open("a") as file:
                file.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
            say(f"{path.stem}, page {number}: {rows[-1]}")
    report(rows)


def print_all(python: Path, documents: Path, folder: Path) -> None:
    """Print by WeasyPrint, in the environment of bench.tables."""
    if list(folder.glob("*.pdf")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(each for each in documents.iterdir() if each.suffix in KINDS):
        text = parse(path, detect(path, path.name, ""), Options()).text[:MAX_CHARACTERS]
        if len(HAS_SYLLABLE.findall(text)) > len(text) / 4:
            body = "".join(map(_block, text.split("\n\n")))
            (folder / f"{path.stem}.html").write_text(f"<meta charset=utf-8><style>{STYLE}</style>{body}")
    subprocess.run([python, "-m", "bench.tables.peers", "print", folder], cwd=ROOT, check=True)


def _block(block: str) -> str:
    if heading := HEADING.fullmatch(block):
        return f"<h{len(heading[1])}>{escape(heading[2])}</h{len(heading[1])}>"
    lines = block.split("\n")
    if not all(line.startswith("|") for line in lines):
        return f"<p>{'<br>'.join(map(escape, lines))}</p>"
    rows = (re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if not re.fullmatch(r"[| -]+", line))
    cells = ("".join(f"<td>{escape(cell.strip())}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def pages(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """Yield (file, page, half), the halves by turns, the first pages of each file first."""
    all_pages = [
        (path, number)
        for path in sorted(folder.glob("*.pdf"))
        for number in range(1, min(PAGES_EACH, len(pypdfium2.PdfDocument(path))) + 1)
    ]
    for place, (path, number) in enumerate(sorted(all_pages, key=lambda page: page[1] > PAGES_FIRST)):
        yield path, number, HALVES[place % 2]


def read(reader: PageReader, path: Path, number: int) -> dict[str, object]:
    page = pypdfium2.PdfDocument(path)[number - 1]
    gold = page.get_textpage().get_text_bounded()
    degrees = round(Random(f"{SEED} {path.stem} {number}").uniform(-MAX_DEGREES, MAX_DEGREES), 2)
    grey = as_scanned(drawn(page, SCANNED_DPI), degrees, GRAIN, seed=number)
    size = (grey.shape[1] * DPI // SCANNED_DPI, grey.shape[0] * DPI // SCANNED_DPI)
    started = time.process_time()
    found = reader.read(Picture(np.asarray(Image.fromarray(grey).resize(size), np.uint8), DPI, page.get_size()))
    seconds = time.process_time() - started
    return {
        "degrees": degrees,
        "turned": round(found.sheet.angle, 2),
        "hangul": _counts(WORD, gold, found.text),
        "words": _counts(ANY_WORD, gold, found.text),
        "seconds": round(seconds, 1),
        "text": found.text,
        "gold": gold,
    }


def _counts(kind: re.Pattern[str], gold: str, read: str) -> tuple[int, int, int]:
    """Return how many words are right, were found and are there, each as often as it is there."""
    expected, found = Counter(kind.findall(gold)), Counter(kind.findall(read))
    return (expected & found).total(), found.total(), expected.total()


def report(rows: list[dict[str, Any]]) -> None:
    print("| half | pages | words of Hangul: precision, recall | all words: precision, recall | seconds a page |")
    print("| --- | --- | --- | --- | --- |")
    for half in HALVES:
        if own := [row for row in rows if row["half"] == half]:
            figures = []
            for kind in ("hangul", "words"):
                right, found, there = (sum(row[kind][n] for row in own) for n in range(3))
                figures.append(f"{there}: {right / found:.3f}, {right / there:.3f}")
            seconds = sum(row["seconds"] for row in own) / len(own)
            print(f"| {half} | {len(own)} | {' | '.join(figures)} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
