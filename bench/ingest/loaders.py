"""MB/s of each format: read as a worker reads it (a child process each), by the reader alone, PDFs by PDFium alone."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app.settings import Settings
from bench.ingest.home import Home
from bench.ingest.made import make
from bench.retrieval.progress import say
from ingest.loading.formats import detect
from ingest.loading.load import load
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse

FORMATS = ("pdf", "docx", "pptx", "xlsx", "html", "md", "txt", "csv", "eml", "epub", "hwp", "hwpx")
Way = Callable[[Path], object]

MIN_S, MIN_TIMES = 0.5, 2


def loaders(home: Home, *, documents: Path | None) -> dict[str, Any]:
    """Of the files in `documents` and, for formats that are plain to write, of one made of the corpus."""
    settings, found = Settings(home=home.folder), dict[str, Any]()
    start = home.folder / "documents" / "one-word.txt"
    made = make(home.folder / "documents", home.texts)
    start.write_text("word")
    _load(start, settings)
    found["start_s"] = round(_seconds(partial(_load, start, settings)), 3)
    files = defaultdict(list, {suffix: [file] for suffix, file in made.items()})
    for file in sorted(documents.iterdir()) if documents else []:
        files[file.suffix[1:].lower()].append(file)
    found["formats"] = {each: _measured(files[each], each, settings) for each in FORMATS if files[each]}
    return found


def _measured(files: Sequence[Path], kind: str, settings: Settings) -> dict[str, Any]:
    size = sum(file.stat().st_size for file in files) / 1e6
    characters = sum(len(_load(file, settings)) for file in files) / 1e6
    ways: dict[str, Way] = {"load": lambda file: _load(file, settings), "reader": _read}
    if kind == "pdf":
        ways["library"] = _pdfium
    _read(files[0])  # which loads what the reader needs
    speeds = {name: round(size / sum(_seconds(partial(way, file)) for file in files), 3) for name, way in ways.items()}
    say(f"{kind}: {speeds} MB/s")
    figures = {"mb": round(size, 3), "million_characters": round(characters, 3), "mb_a_second": speeds}
    return {"files": len(files), **figures}


def _seconds(action: Callable[[], object]) -> float:
    """For one time; of what is quick, the mean of several."""
    times, started = 0, time.perf_counter()
    while times < MIN_TIMES or time.perf_counter() - started < MIN_S:
        action()
        times += 1
    return (time.perf_counter() - started) / times


def _load(file: Path, settings: Settings) -> str:
    loading = load(
        file,
        filename=file.name,
        media_type=None,
        memory_mb=settings.load_memory_mb,
        timeout_s=settings.load_timeout_s,
        max_chars=settings.load_max_chars,
    )
    return asyncio.run(loading).text


def _read(file: Path) -> object:
    return parse(file, detect(file, file.name, ""), Options())


def _pdfium(file: Path) -> object:
    import pypdfium2

    return [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(file)]
