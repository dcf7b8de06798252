"""python -m app eval: measure retrieval, or answers, from the files to table, JSON and picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import httpx

from app.cli.client import call, open_client
from app.cli.commands import add_remote_command
from app.errors import MissingExtra
from app.evaluation import answers_command
from app.evaluation.calibration import CalibrationReport, calibrations
from app.evaluation.calibration_plot import plot as plot_calibration
from app.evaluation.calibration_table import table as calibration_table
from app.evaluation.corpus import ingest_corpus
from app.evaluation.from_log import from_log
from app.evaluation.plot import SUFFIXES, plot
from app.evaluation.questions import (
    BadFile,
    CorpusDocument,
    Query,
    Unanswerable,
    label,
    load_corpus,
    load_queries,
    load_unanswerable,
)
from app.evaluation.report import Report, compare, load_report, summarize
from app.evaluation.service import ask, relevant_documents, search_modes
from app.evaluation.table import table
from app.evaluation.top_scores import DEFAULT_MODES, embedder_name, top_scores
from app.settings import Settings
from app.terminal import say

Written = TypeVar("Written", Report, CalibrationReport)

MAX_CLIENTS = 64


def add_command(commands: Any) -> None:
    words = "measure retrieval, or with --answers answers, on questions of your own"
    _add_arguments(add_remote_command(commands, "eval", words, run))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--queries",
        type=Path,
        metavar="FILE.jsonl",
        help='one question per line: {"text": "…", "gold_sources": ["file.pdf"]} or "gold_doc_ids": ["id"]; optionally '
        '"query_id"',
    )
    parser.add_argument(
        "--gold", type=Path, metavar="QRELS.tsv", help="the documents that answer them, in a file in BEIR's format"
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        metavar="FILE.jsonl",
        help='documents to ingest first, one per line: {"doc_id": "id", "title": "…", "text": "…"}',
    )
    parser.add_argument(
        "--modes",
        type=_names,
        default=[],
        metavar="NAME,…",
        help="a list of dense, lexical, hybrid (the service's own)",
    )
    parser.add_argument("--group-by", metavar="FIELD", help="also report each value of this field of the questions")
    parser.add_argument("--clients", type=_clients, default=4, metavar="N", help="concurrent searches (4)")
    parser.add_argument("--json", type=Path, metavar="FILE.json", help="write all figures, and those of each query")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw bars with confidence intervals")
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="show what changed since the run that wrote this --json file"
    )
    _add_calibration(parser)
    answers_command.add_arguments(parser)
    parser.add_argument(
        "--from-log",
        type=Path,
        metavar="FILE.jsonl",
        help="instead write the questions for --answers that users have marked, from the tenant's query log",
    )


def _add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="propose a min_score instead, from questions with and without an answer",
    )
    parser.add_argument(
        "--unanswerable",
        type=Path,
        metavar="FILE.jsonl",
        help='for --calibrate: questions without an answer, one per line: {"text": "…"}; optionally "kind"',
    )
    parser.add_argument(
        "--cost",
        type=_share,
        default=0.02,
        metavar="SHARE",
        help="for --calibrate: the share of answerable questions that may be lost (0.02)",
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    # What is wrong with the files should show before the work of minutes.
    _check_outputs(options)
    if options.from_log:
        return from_log(settings, options)
    if options.queries is None:
        raise BadFile("Name the questions: --queries FILE.jsonl.")
    if options.answers:
        return answers_command.evaluate_answers(settings, options)
    queries = load_queries(options.queries, options.gold)
    corpus = load_corpus(options.corpus) if options.corpus else []
    return (_calibrate if options.calibrate else _evaluate)(settings, options, queries, corpus)


def _evaluate(
    settings: Settings, options: argparse.Namespace, queries: list[Query], corpus: list[CorpusDocument]
) -> int:
    groups = label(queries, options.group_by) if options.group_by else {}
    earlier = load_report(options.compare) if options.compare else None
    with open_client(settings, url=options.url, key=options.key) as client:
        limits = call(client, "GET", "/limits")
        modes = search_modes(client, options.modes)
        gold, failed = _ingested(client, queries, corpus, options)
        asking = {"max_top_k": limits["max_top_k"], "clients": options.clients}
        results = {mode.name: summarize(ask(client, queries, gold, groups, mode, **asking)) for mode in modes}
    report = Report(
        queries_file=options.queries.name,
        clients=options.clients,
        group_by=options.group_by,
        failed_documents=failed,
        modes=results,
    )
    if earlier is not None:
        report.comparison = compare(report, earlier, options.compare.name)
    say(table(report))
    _write(report, options, plot)
    return 1 if failed else 0


def _calibrate(
    settings: Settings, options: argparse.Namespace, queries: list[Query], corpus: list[CorpusDocument]
) -> int:
    unanswerable = _unanswerable(options)
    with open_client(settings, url=options.url, key=options.key) as client:
        modes = search_modes(client, options.modes or DEFAULT_MODES)
        _, failed = _ingested(client, queries, corpus, options)
        scores = top_scores(client, [*queries, *unanswerable], modes, options.clients)
        embedder = embedder_name(client)
    report = CalibrationReport(
        queries_file=options.queries.name,
        unanswerable_file=options.unanswerable.name,
        embedder=embedder,
        cost=options.cost,
        failed_documents=failed,
        modes={mode.name: calibrations(scores, mode.name, options.cost) for mode in modes},
        questions=scores,
    )
    if not any(report.modes.values()):
        raise BadFile("No language has questions of both sorts, with an answer and without one.")
    say(calibration_table(report))
    _write(report, options, plot_calibration)
    return 1 if failed else 0


def _unanswerable(options: argparse.Namespace) -> list[Unanswerable]:
    if options.unanswerable is None:
        raise BadFile("--calibrate needs questions without an answer too: --unanswerable FILE.jsonl.")
    if options.group_by or options.compare:
        raise BadFile("--group-by and --compare have no meaning with --calibrate: leave them out.")
    return load_unanswerable(options.unanswerable)


def _ingested(
    client: httpx.Client, queries: list[Query], corpus: list[CorpusDocument], options: argparse.Namespace
) -> tuple[dict[str, frozenset[str]], int]:
    """Ingest the corpus; return the documents that answer each query, and how many could not be ingested."""
    gold = relevant_documents(client, queries, corpus={document.id for document in corpus}, clients=options.clients)
    failures = ingest_corpus(client, corpus, call(client, "GET", "/limits"))
    for document, reason in failures:
        say(f"{document}: {reason}", file=sys.stderr)
    return gold, len(failures)


def _check_outputs(options: argparse.Namespace) -> None:
    for file in (options.json, options.plot):
        if file is not None and not file.parent.is_dir():
            raise BadFile(f"{file}: there is no folder {file.parent}.")
    if options.plot and options.plot.suffix not in SUFFIXES:
        raise BadFile(f"{options.plot}: a plot is written as {', '.join(SUFFIXES)}.")
    if options.plot and find_spec("matplotlib") is None:
        raise MissingExtra("--plot", "plots")


def _write(report: Written, options: argparse.Namespace, draw: Callable[[Written, Path], None]) -> None:
    try:
        if options.json:
            options.json.write_text(report.model_dump_json(indent=1), encoding="utf-8")
        if options.plot:
            draw(report, options.plot)
    except OSError as error:
        raise BadFile(f"{error.filename}: {error.strerror}.") from None


def _names(value: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


def _clients(value: str) -> int:
    number = int(value)
    if not 1 <= number <= MAX_CLIENTS:
        raise argparse.ArgumentTypeError(f"from 1 to {MAX_CLIENTS}")
    return number


def _share(value: str) -> float:
    share = float(value)
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError("a share from 0 to below 1, such as 0.02")
    return share
