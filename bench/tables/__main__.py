"""Reads tables and text of printed documents beside pdfplumber, camelot and xberg.

python -m bench.tables install --home H    once: the other readers and WeasyPrint, in an environment of their own
python -m bench.tables measure --home H    prints the documents, reads them and says how well

With `--printer libreoffice-docx` or `libreoffice-html` LibreOffice prints them (soffice, which is installed apart).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from app.terminal import say
from bench.service import ROOT
from bench.tables.grid import Counts, cells, from_markdown, words
from bench.tables.made import Made, made
from bench.tables.printing import PRINTERS, print_with_libreoffice, printable
from bench.tables.twins import twins
from ingest.loading.formats import PDF
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse

REQUIREMENTS = Path(__file__).parent / "peers.txt"
# The reader was made with the even ones in view.
SEEDS = {"tuning": range(0, 12, 2), "report": range(1, 13, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.tables", description=__doc__)
    parser.add_argument("action", choices=["install", "measure"])
    parser.add_argument("--home", type=Path, required=True, help="a folder for the environment and the documents")
    parser.add_argument("--documents", type=Path, help="a folder of hwpx, hwp and docx files to print the tables of")
    parser.add_argument("--half", choices=SEEDS, default="report")
    parser.add_argument("--printer", choices=PRINTERS, default=PRINTERS[0])
    options = parser.parse_args()
    if options.action == "install":
        install(options.home)
    else:
        measure(options.home, options.half, options.documents, options.printer)


def install(home: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", home / "peers"], check=True)
    pip = [str(_python(home)), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(REQUIREMENTS)]
    subprocess.run(pip, check=True)


def measure(home: Path, half: str, real: Path | None, printer: str) -> None:
    folder = home / half / printer
    folder.mkdir(parents=True, exist_ok=True)
    place = list(SEEDS).index(half)
    documents = printable([*made(SEEDS[half]), *(list(twins(real))[place::2] if real else ())], printer)
    for document in documents:
        (folder / f"{document.name}.html").write_text(document.html)
    if printer.startswith("libreoffice"):
        print_with_libreoffice(documents, folder, printer)
    else:
        _peers(home, "print", folder)
    _peers(home, "read", folder)
    found: dict[str, dict[str, Any]] = {"Kyujang": {}} | json.loads((folder / "peers.json").read_text())
    for document in documents:
        path = folder / f"{document.name}.pdf"
        found["Kyujang"][document.name] = _timed(lambda path=path: parse(path, PDF, Options()).text)
    _report(documents, found)


def _peers(home: Path, action: str, folder: Path) -> None:
    subprocess.run([_python(home), "-m", "bench.tables.peers", action, folder], cwd=ROOT, check=True)


def _timed(read: Any) -> dict[str, Any]:
    start = time.process_time()
    tables, text = from_markdown(read())
    return {"tables": tables, "text": text, "seconds": time.process_time() - start}


def _report(documents: list[Made], found: dict[str, dict[str, Any]]) -> None:
    layouts = list(dict.fromkeys(document.name.split("-")[0] for document in documents))
    say(f"| cell F1 / words in order F1 | {' | '.join(layouts)} | en | ko | all | seconds |")
    say(f"|{' --- |' * (len(layouts) + 5)}")
    for reader, results in found.items():
        groups: dict[str, tuple[Counts, Counts]] = {}
        for document in documents:
            result = results[document.name]
            pair = cells(document.tables, result["tables"]), words(document.words, result["text"])
            for group in (*document.name.split("-")[:2], "all"):
                before = groups.get(group, (Counts(), Counts()))
                groups[group] = before[0] + pair[0], before[1] + pair[1]
        figures = " | ".join(_figures(*groups[group]) for group in (*layouts, "en", "ko", "all"))
        seconds = sum(results[document.name]["seconds"] for document in documents)
        say(f"| {reader} | {figures} | {seconds:.1f} |")


def _figures(table: Counts, text: Counts) -> str:
    return f"{table.f1:.3f} / {text.f1:.3f}" if text.given else f"{table.f1:.3f} / –"


def _python(home: Path) -> Path:
    return home / "peers" / "bin" / "python"


if __name__ == "__main__":
    main()
