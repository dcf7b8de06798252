"""The command line: python -m bench.ingest --help."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.ingest.home import Home, Results
from bench.ingest.latency import latency
from bench.ingest.loaders import loaders
from bench.ingest.peers.beside import beside
from bench.ingest.peers.environment import install
from bench.ingest.pipeline import pipeline
from bench.ingest.report import markdown
from bench.ingest.storage import storage
from bench.ingest.upload import upload
from bench.retrieval.home import opened
from bench.retrieval.progress import say


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.action == "peers":
        install(options.home)
        return 0
    # Where a library reads it when it is loaded: one thread, as the worker has.
    os.environ["OMP_NUM_THREADS"] = "1"
    # Else what it has started would go on without it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = Results(options.home / "ingest.json")
    with opened(options.home) as server:
        home = Home(options.home, server, options.corpus)
        for part in options.parts or [part for part in PARTS if part not in results.all()]:
            say(part)
            started, load = time.monotonic(), os.getloadavg()[0]
            figures = PARTS[part](home, options)
            about = {"load_average_before": round(load, 2), "took_s": round(time.monotonic() - started)}
            results.keep(part, {**about, **figures})
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, **results.all()}, indent=2))
    print(markdown(results.all()))
    return 0


def _pipeline(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    effort = {"chunks": options.chunks, "rounds": options.rounds, "growth": options.growth_chunks}
    return pipeline(home, sizes=options.sizes, workers=options.workers, **effort)


def _peers(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return beside(home, chunks=options.peer_chunks, names=options.peers)


def _loaders(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return loaders(home, documents=options.documents)


def _upload(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return upload(home, megabytes=options.upload_mb)


def _storage(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    effort = {"chunks": options.chunks, "rounds": options.rounds, "megabytes": options.upload_mb}
    return storage(home, workers=options.workers, **effort)


def _latency(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    size = max(options.sizes, default=options.chunks)
    return latency(home, questions=options.questions, size=size, chunks=options.chunks, workers=options.workers)


PARTS: dict[str, Callable[[Home, argparse.Namespace], dict[str, Any]]] = {
    "pipeline": _pipeline,
    "peers": _peers,
    "loaders": _loaders,
    "upload": _upload,
    "storage": _storage,
    "latency": _latency,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description="Ingest measured")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    peers = actions.add_parser("peers", help="install the other frameworks in an environment of their own (3 GB)")
    measure = actions.add_parser("measure", help="ingest documents, ask, and print tables")
    for each in (peers, measure):
        each.add_argument("--home", type=Path, required=True, help="a folder of their own")
    add = measure.add_argument
    add("--corpus", type=_paths, required=True, help=".jsonl files with a field 'text', or folders of texts; by commas")
    add("--documents", type=Path, help="a folder of real files for the loaders")
    add("--parts", type=lambda text: text.split(","), help=f"of {','.join(PARTS)}; those not done yet")
    add("--chunks", type=int, default=300, help="to ingest into an empty database")
    add("--rounds", type=int, default=2, help="of ingesting those")
    add(
        "--sizes",
        type=_numbers,
        default=[1_000, 10_000],
        help="chunks in the database when growth is measured; up to 100000",
    )
    add("--growth-chunks", type=int, default=80, help="to ingest at each of the sizes")
    add("--peers", type=lambda text: text.split(","), help="which of the frameworks; all that are installed")
    add("--peer-chunks", type=int, default=120, help="that each of the frameworks ingests")
    add("--upload-mb", type=int, default=200)
    add("--questions", type=int, default=150, help="asked idle, and as many while documents are ingested")
    add("--workers", type=int, default=1)
    add("--json", type=Path)
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _paths(text: str) -> list[Path]:
    return [Path(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
