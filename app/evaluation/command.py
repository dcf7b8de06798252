"""python -m app eval: its arguments, and its way from the files to table, JSON and picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.client import call, open_client
from app.evaluation.corpus import ingest_corpus
from app.evaluation.plot import SUFFIXES, plot
from app.evaluation.questions import BadFile, label, load_corpus, load_queries
from app.evaluation.report import Report, compare, load_report, summarize
from app.evaluation.service import ask, relevant_documents, search_modes
from app.evaluation.table import table
from app.settings import Settings

MAX_CLIENTS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--queries",
        type=Path,
        required=True,
        metavar="FILE.jsonl",
        help='a question a line: {"text": "…", "gold_sources": ["file.pdf"]} or "gold_doc_ids": ["id"]; "query_id" if '
        "you like",
    )
    parser.add_argument(
        "--gold", type=Path, metavar="QRELS.tsv", help="the documents that answer them, in BEIR's form, instead"
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        metavar="FILE.jsonl",
        help='taken in first, a document a line: {"doc_id": "id", "title": "…", "text": "…"}',
    )
    parser.add_argument(
        "--modes", type=_names, default=[], metavar="NAME,…", help="of dense, lexical, hybrid; else the service's own"
    )
    parser.add_argument("--group-by", metavar="FIELD", help="figures for each value of this field of the questions too")
    parser.add_argument("--clients", type=_clients, default=4, metavar="N", help="searches at a time (4)")
    parser.add_argument("--json", type=Path, metavar="FILE.json", help="all figures, query by query")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="bars with their confidence intervals")
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="what changed since the run that wrote this with --json"
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    # What is wrong with the files should show before the work of minutes.
    queries = load_queries(options.queries, options.gold)
    groups = label(queries, options.group_by) if options.group_by else {}
    corpus = load_corpus(options.corpus) if options.corpus else []
    earlier = load_report(options.compare) if options.compare else None
    _check_outputs(options)
    with open_client(settings, url=options.url, key=options.key) as client:
        limits = call(client, "GET", "/limits")
        modes = search_modes(client, options.modes)
        ids = {document.id for document in corpus}
        gold = relevant_documents(client, queries, corpus=ids, clients=options.clients)
        failures = ingest_corpus(client, corpus, limits)
        for document, reason in failures:
            print(f"{document}: {reason}", file=sys.stderr)
        asking = {"max_top_k": limits["max_top_k"], "clients": options.clients}
        results = {mode.name: summarize(ask(client, queries, gold, groups, mode, **asking)) for mode in modes}
    report = Report(
        queries_file=options.queries.name,
        clients=options.clients,
        group_by=options.group_by,
        failed_documents=len(failures),
        modes=results,
    )
    if earlier is not None:
        report.comparison = compare(report, earlier, options.compare.name)
    print(table(report))
    _write(report, options)
    return 1 if failures else 0


def _check_outputs(options: argparse.Namespace) -> None:
    for file in (options.json, options.plot):
        if file is not None and not file.parent.is_dir():
            raise BadFile(f"{file}: there is no folder {file.parent}.")
    if options.plot and options.plot.suffix not in SUFFIXES:
        raise BadFile(f"{options.plot}: a plot is written as {', '.join(SUFFIXES)}.")


def _write(report: Report, options: argparse.Namespace) -> None:
    try:
        if options.json:
            options.json.write_text(report.model_dump_json(indent=1), encoding="utf-8")
        if options.plot:
            plot(report, options.plot)
    except OSError as error:
        raise BadFile(f"{error.filename}: {error.strerror}.") from None


def _names(value: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


def _clients(value: str) -> int:
    number = int(value)
    if not 1 <= number <= MAX_CLIENTS:
        raise argparse.ArgumentTypeError(f"from 1 to {MAX_CLIENTS}")
    return number
