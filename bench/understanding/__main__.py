"""The command line: python -m bench.understanding --help."""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from app.cli.client import call
from app.evaluation.corpus import ingest_corpus
from bench.answer.running import running, started
from bench.arguments import known_names
from bench.understanding.asking import is_right
from bench.understanding.sets import HALVES, KINDS, NO_ANSWER, Shelf, shelves


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # Else what it has started would go on without it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("| kind | shelf | half | right | of those with an answer | of those without |")
    print("| --- | --- | --- | --- | --- | --- |")
    with _service(options) as client:
        for shelf in shelves(options.kinds, options.halves):
            print(_row(shelf, list(_outcomes(client, shelf, show=options.show))), flush=True)
    return 0


def _service(options: argparse.Namespace) -> AbstractContextManager[httpx.Client]:
    return running(options.url, options.key, []) if options.url else started(options.home, "none", [])


def _outcomes(client: httpx.Client, shelf: Shelf, *, show: bool) -> Iterator[tuple[str, bool]]:
    if failures := ingest_corpus(client, shelf.documents, call(client, "GET", "/limits")):
        raise SystemExit(f"{len(failures)} documents were not ingested, such as {': '.join(failures[0])}")
    for case in shelf.cases:
        right = is_right(client, shelf, case)
        if show and not right:
            print(f"{shelf.kind} {shelf.language}: {[*case.turns, case.text]} → {case.expected}", file=sys.stderr)
        yield case.expected, right
    for document in shelf.documents:
        call(client, "DELETE", f"/documents/{document.id}")


def _row(shelf: Shelf, outcomes: Sequence[tuple[str, bool]]) -> str:
    asked = Counter(expected == NO_ANSWER for expected, _ in outcomes)
    right = Counter(expected == NO_ANSWER for expected, right in outcomes if right)
    shares = [f"{right[refused]} of {asked[refused]}" if asked[refused] else "–" for refused in (False, True)]
    cells = [shelf.kind, shelf.language, shelf.half, f"{right.total()} of {asked.total()}", *shares]
    return f"| {' | '.join(cells)} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.understanding", description="Understanding measured")
    add = parser.add_argument
    service = parser.add_mutually_exclusive_group(required=True)
    service.add_argument("--home", type=Path, help="a folder for a service of its own, without other documents")
    service.add_argument("--url", help="a service that runs, without documents and without an engine")
    add("--key", help="its key, with the scopes query and ingest")
    add("--kinds", type=lambda text: known_names(text, KINDS), default=KINDS, help=f"of {','.join(KINDS)}; all")
    add("--halves", type=lambda text: known_names(text, HALVES), default=HALVES, help="tune,report")
    add("--show", action="store_true", help="what was wrong, on stderr")
    return parser


if __name__ == "__main__":
    sys.exit(main())
