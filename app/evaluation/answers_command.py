"""python -m app eval --answers: have the service measure its answers, follow it, and show the report."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from app.cli.client import FINISHED, POLL_S, ServiceRefused, call, open_client
from app.errors import KyujangError
from app.evaluation.answer_report import AnswerReport, since
from app.evaluation.answer_table import table
from app.evaluation.cases import bodies, load_cases
from app.evaluation.judging import Sample
from app.evaluation.questions import json_file, json_lines
from app.evaluation.service import relevant_documents
from app.settings import Settings
from app.terminal import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--answers",
        action="store_true",
        help='measure answers instead: the questions may have "expected", "values", "answerable": false',
    )
    parser.add_argument(
        "--way",
        type=_way,
        action="append",
        default=[],
        metavar="NAME=VALUE,…",
        help="for --answers, up to 4 times: fields of POST /query to answer with, such as prompt=short@2,mode=dense; "
        "the first way is what the others are compared with",
    )
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="for --answers: ask each question N times")
    parser.add_argument(
        "--judge",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="FILE.jsonl",
        help='for --answers: have the engine judge too; how often it errs is measured on {"input": "…", "expected": '
        '"…", "answer": "…", "right": true}',
    )


def evaluate_answers(settings: Settings, options: argparse.Namespace) -> int:
    cases = load_cases(options.queries)
    earlier = json_file(options.compare, AnswerReport, "eval --answers --json") if options.compare else None
    body: dict[str, Any] = {"repeats": options.repeats}
    if options.way:
        body["compare"] = options.way
    if options.judge is not None:
        body["judge"] = {"samples": _samples(options.judge) if options.judge != Path() else []}
    with open_client(settings, url=options.url, key=options.key) as client:
        known = [case.query for case in cases if case.gold_doc_ids or case.gold_sources]
        gold = relevant_documents(client, known, corpus=set(), clients=options.clients)
        report = AnswerReport.model_validate(_followed(client, {"cases": bodies(cases, gold), **body}))
    change = since(report, earlier, options.compare.name) if earlier else None
    say(table(report, change, options.compare.name if options.compare else ""))
    if options.json:
        options.json.write_text(report.model_dump_json(indent=1), encoding="utf-8")
    return 0


def _followed(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """Return the report when it is done. Raises KyujangError if it fails; interrupted, the service goes on."""
    job = call(client, "POST", "/evaluations", json=body)
    say(f"Evaluation {job['id']}: it goes on if this command is interrupted (GET /evaluations/{job['id']}).")
    with tqdm(total=len(body["cases"]), unit="question", disable=None) as bar:
        while job["status"] not in FINISHED:
            time.sleep(POLL_S)
            try:
                job = call(client, "GET", f"/evaluations/{job['id']}")
            except ServiceRefused as refused:
                if refused.status_code is not None and refused.status_code < 500:
                    raise
                continue
            bar.update((job["progress"] or {}).get("done", 0) - bar.n)
    if job["result"] is None:
        reason = job["error"]["detail"] if job["error"] else "It was cancelled."
        raise KyujangError(f"The evaluation {job['id']} has no result. {reason}")
    result: dict[str, Any] = job["result"]
    return result


def _samples(path: Path) -> list[dict[str, Any]]:
    return [sample.model_dump() for _, sample in json_lines(path, Sample)]


def _way(value: str) -> dict[str, Any]:
    """Read `name=value,…`; a value that is no JSON is a text. Empty: the tenant's own way."""
    way: dict[str, Any] = {}
    for part in filter(None, value.split(",")):
        name, equals, text = part.partition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"{part!r} is not NAME=VALUE")
        try:
            way[name.strip()] = json.loads(text)
        except ValueError:
            way[name.strip()] = text
    return way
