"""python -m ingest rechunk: stored documents are read and cut again where today's loader or splitter is another."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from tqdm import tqdm

from app.cli.client import FINISHED, call, open_client
from app.settings import Settings
from app.terminal import say

POLL_S = 1.0


def add_parser(commands: Any) -> None:
    words = (
        "read and cut stored documents again, in the background, if an earlier version or other settings made their "
        "chunks"
    )
    parser = commands.add_parser("rechunk", help=words, description=words)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("ids", nargs="*", default=[], metavar="ID", help="only these documents; by default all")
    which.add_argument("--filters", type=_json, metavar="JSON", help="only the documents that this filter lets through")
    parser.add_argument("--no-wait", action="store_true", help="do not wait: end as soon as they are accepted")
    parser.add_argument("--url", help="the service's address (KYUJANG_URL)")
    parser.add_argument("--key", help="the tenant's key (KYUJANG_KEY)")
    parser.set_defaults(command=_rechunk)


def _rechunk(settings: Settings, options: argparse.Namespace) -> int:
    filters = {"key": "document_id", "op": "in", "value": options.ids} if options.ids else options.filters
    with open_client(settings, url=options.url, key=options.key) as client:
        job = call(client, "POST", "/documents/rechunk", json={"filters": filters})
        if options.no_wait:
            say(f"Accepted: {job['counts']['total']}; a worker goes on with them.")
            return 0
        with tqdm(total=job["counts"]["total"], unit="document", disable=None) as bar:
            while job["status"] not in FINISHED:
                time.sleep(POLL_S)
                job = call(client, "GET", f"/jobs/{job['id']}")
                bar.update(_done(job["counts"]) - bar.n)
    for each in job["documents"]:
        say(f"{each['id']}: {each['error']['code']}: {each['error']['detail']}", file=sys.stderr)
    say(", ".join(f"{job['counts'][name]} {name}" for name in ("succeeded", "unchanged", "failed")) + ".")
    return 1 if job["status"] != "succeeded" else 0


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise argparse.ArgumentTypeError('is JSON, such as {"key": "source", "op": "eq", "value": "a.pdf"}') from None


def _done(counts: dict[str, int]) -> int:
    return counts["total"] - counts["queued"] - counts["running"]
