"""The command line: python -m bench.answer --help."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
from pydantic import BaseModel

from app.evaluation.questions import CorpusDocument
from bench.answer import data
from bench.answer.asking import NONE, WAYS, Outcome, ask_all
from bench.answer.curves import draw
from bench.answer.injection import Injection, injection
from bench.answer.report import markdown
from bench.answer.running import has_engine, running, started
from bench.arguments import known_names


class Results(BaseModel):
    """By way."""

    outcomes: dict[str, list[Outcome]] = {}
    injection: dict[str, Injection] = {}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # Else what it has started would go on without it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sizes = (options.sample, options.sample_unanswerable, options.seed)
    folders = {language: options.data / language for language in options.languages}
    documents = [document for folder in folders.values() for document in data.corpus(folder)]
    questions = [each for name, folder in folders.items() for each in data.questions(folder, name, *sizes)]
    kept = options.json and options.json.exists()
    results = Results.model_validate_json(options.json.read_bytes()) if kept else Results()
    how = {"top_k": options.top_k, "max_tokens": options.max_tokens, "clients": options.clients}
    for opened, ways in _services(options, documents):
        with opened as client:
            for way in ways or _ways_of(client):
                results.outcomes[way] = ask_all(client, questions, way, **how)
                if options.canaries:
                    results.injection[way] = injection(client, way)
                if options.json:
                    options.json.write_text(results.model_dump_json(indent=1), "utf-8")
    print(markdown(results.outcomes, results.injection))
    if options.plot:
        draw(results.outcomes, options.plot)
    return 0


def _services(
    options: argparse.Namespace, documents: Sequence[CorpusDocument]
) -> Iterator[tuple[AbstractContextManager[httpx.Client], list[str]]]:
    """Each with the ways to ask it; without any, those that it has."""
    if options.url:
        yield running(options.url, options.key, documents), options.ways
        return
    ways = options.ways or WAYS
    for engine, own in (("none", [way for way in ways if way == NONE]), ("vllm", [way for way in ways if way != NONE])):
        if own:
            yield started(options.home, engine, documents), own


def _ways_of(client: httpx.Client) -> list[str]:
    return [way for way in WAYS if (way != NONE) == has_engine(client)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.answer", description="Answers and refusals measured")
    add = parser.add_argument
    service = parser.add_mutually_exclusive_group(required=True)
    service.add_argument("--home", type=Path, help="a folder for a service of its own")
    service.add_argument("--url", help="a service that runs; it keeps the corpora")
    add("--key", help="its key, with the scopes query, read and ingest")
    add("--data", type=Path, default=Path("../shared/data"), help="holds en and ko (../shared/data)")
    add("--languages", type=_languages, default=list(data.LANGUAGES), help="en,ko")
    add("--ways", type=_ways, default=[], help=f"of {','.join(WAYS)}; all that the service has")
    add("--sample", type=int, help="questions with an answer, a language; all")
    add("--sample-unanswerable", type=int, help="questions without one, a language; all")
    add("--seed", type=int, default=0, help="of the samples (0)")
    add("--top-k", type=int, default=5, help="chunks (5)")
    add("--max-tokens", type=int, default=64, help="of an answer (64)")
    add("--clients", type=int, default=1, help="questions at a time (1)")
    add("--canaries", action="store_true", help="attacks of bench/canaries.py too")
    add("--json", type=Path, help="every outcome; those of ways that are not asked now stay in it")
    add("--plot", type=Path, help="the refusal curves as .png")
    return parser


def _ways(text: str) -> list[str]:
    return known_names(text, WAYS)


def _languages(text: str) -> list[str]:
    return known_names(text, data.LANGUAGES)


if __name__ == "__main__":
    sys.exit(main())
