"""The command line: python -m bench.retrieval --help."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from app.up.postgres import EmbeddedPostgres
from bench.retrieval.build import build
from bench.retrieval.corpus import Layout, Plan
from bench.retrieval.home import Place, opened, place
from bench.retrieval.measure import Effort, measure
from bench.retrieval.over_http import over_http
from bench.retrieval.parts import measure_parts
from bench.retrieval.parts import over_http as parts_over_http
from bench.retrieval.progress import say
from bench.retrieval.report import markdown, markdown_of_parts

MACHINE = {"cores": os.cpu_count(), "python": platform.python_version()}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    plans = [
        Plan(layout, size, 1 if layout == "single" else options.tenants)
        for layout in options.layouts
        for size in options.sizes
    ]
    with opened(options.home) as server:
        if options.action == "build":
            _build(server, options, plans)
        else:
            measured, shown = ACTIONS[options.action]
            results = measured(server, options, plans)
            if options.json:
                options.json.write_text(json.dumps(results, indent=2))
            print(shown(results["corpora"]))
    return 0


def _build(server: EmbeddedPostgres, options: argparse.Namespace, plans: list[Plan]) -> None:
    for plan in plans:
        where = place(options.home, server, plan)
        if where.built() is None:
            build(server, where, options.words)
        else:
            say(f"{plan.name}: is built")


def _built(server: EmbeddedPostgres, options: argparse.Namespace, plans: list[Plan]) -> Iterator[tuple[Place, Any]]:
    for plan in plans:
        where = place(options.home, server, plan)
        built = where.built()
        if built is None:
            raise SystemExit(f"{where.folder} is not built: run 'build' with the same options first.")
        yield where, built


def _measure_parts(server: EmbeddedPostgres, options: argparse.Namespace, plans: list[Plan]) -> dict[str, Any]:
    effort = Effort(options.questions, options.warm_up, 0)
    single, corpora = [plan for plan in plans if plan.layout == "single"], {}
    for where, _ in _built(server, options, single):
        corpora[where.plan.name] = {
            "load_average_before": os.getloadavg()[0],
            "stores": asyncio.run(measure_parts(where, where.corpus(), effort)),
            "http": asyncio.run(parts_over_http(where, effort)),
        }
    return {"machine": MACHINE, "corpora": corpora}


def _measure(server: EmbeddedPostgres, options: argparse.Namespace, plans: list[Plan]) -> dict[str, Any]:
    effort = Effort(options.questions, options.warm_up, options.seconds)
    corpora = {}
    for where, built in _built(server, options, plans):
        plan = where.plan
        load = os.getloadavg()[0]
        corpora[plan.name] = {"built": built, "load_average_before": load}
        corpora[plan.name]["searches"] = asyncio.run(measure(where, where.corpus(), effort))
        if plan.layout == "single" and built["words"]:
            corpora[plan.name]["http"] = asyncio.run(over_http(where, effort))
    return {"machine": MACHINE, "corpora": corpora}


ACTIONS = {"measure": (_measure, markdown), "parts": (_measure_parts, markdown_of_parts)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description="Retrieval measured")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    building = actions.add_parser("build", help="write the corpora that are not there yet")
    building.add_argument("--words", type=int, default=30, help="of a chunk; 0: none, and nothing over HTTP")
    measuring = actions.add_parser("measure", help="ask, and print tables")
    measuring.add_argument("--seconds", type=float, default=2.0, help="under load, for each number of clients")
    bound = actions.add_parser("parts", help="ask with keys that are bound to parts of one tenant, and print tables")
    for each in (measuring, bound):
        each.add_argument("--questions", type=int, default=200)
        each.add_argument("--warm-up", type=int, default=50, help="questions before, whose time does not count")
        each.add_argument("--json", type=Path)
    for each in (building, measuring, bound):
        each.add_argument("--home", type=Path, required=True, help="a folder of their own")
        each.add_argument("--sizes", type=_numbers, default=[10_000, 100_000, 1_000_000], help="chunks, by commas")
        each.add_argument("--layouts", type=lambda text: text.split(","), default=list(get_args(Layout)))
        each.add_argument("--tenants", type=int, default=500, help="of the layout 'many'")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
