"""python -m ingest add: the files of folders become documents."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from app.errors import KyujangError
from app.language.unicode import clean_metadata
from app.settings import Settings
from app.storage.notices import OcrMode
from app.storage.tenants import DEFAULT_TENANT
from app.terminal import say
from app.up.owner import with_database_url
from ingest.bulk_worker import CLAIM_AT_ONCE
from ingest.cluster.run import ingest_with_ray
from ingest.sync.folder import Source, find, present
from ingest.sync.in_database import JOB_DOCUMENTS, ingest_by_worker, open_database_target
from ingest.sync.over_http import open_http_target
from ingest.sync.report import AddReport
from ingest.sync.sync import FOLDER, Options, Target, add

MAX_PARALLEL = 64


def add_parser(commands: Any) -> None:
    words = "ingest files and folders and wait until they are searchable; a second run sends only what has changed"
    parser = commands.add_parser("add", help=words, description=words)
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a folder with everything below it, or a file"
    )
    glob = {"action": "append", "default": [], "metavar": "GLOB"}
    parser.add_argument(
        "--include", help="include only files that match: '*.pdf', 'reports/*'; may be repeated", **glob
    )
    parser.add_argument("--exclude", help="skip files and folders that match; hidden ones are always skipped", **glob)
    parser.add_argument(
        "--prefix", default="", help="text to put before each document's id, which is its path below the folder"
    )
    parser.add_argument("--label", help="the metadata 'folder' of the documents; by default the folder's name")
    parser.add_argument("--metadata", type=_metadata, metavar="JSON", help="an object to store with each document")
    parser.add_argument(
        "--ocr",
        choices=get_args(OcrMode),
        default="auto",
        help="read scanned pages by OCR: those without text (auto), none, or every page (force)",
    )
    parser.add_argument("--collection", metavar="ID", help="the collection that the documents are put or moved into")
    parser.add_argument("--delete", action="store_true", help="delete documents of the folder whose file is gone")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--parallel", type=_parallel, default=4, metavar="N", help="files to send at the same time (4)")
    parser.add_argument("--no-wait", action="store_true", help="do not wait: end as soon as all are accepted")
    _add_where(parser)
    parser.set_defaults(command=_add)


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="the service's address (KYUJANG_URL)")
    parser.add_argument("--key", help="the tenant's key (KYUJANG_KEY)")
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="use the database instead of the API; this process does the worker's part too",
    )
    parser.add_argument(
        "--tenant", default=DEFAULT_TENANT, metavar="ID", help="with --in-place or Ray: the tenant (default)"
    )
    parser.add_argument(
        "--engine",
        choices=("worker", "ray"),
        default="worker",
        help="ray: like --in-place, on a Ray cluster (docs/operations/ray.md)",
    )
    parser.add_argument(
        "--ray-address", metavar="HOST:PORT", help="the cluster's head; by default a Ray is started on this machine"
    )


def _add(settings: Settings, options: argparse.Namespace) -> int:
    chosen = {"prefix": options.prefix, "label": options.label}
    sources = find(options.paths, include=options.include, exclude=options.exclude, **chosen)
    report = AddReport()
    try:
        asyncio.run(_add_all(settings, options, sources, report))
        ended = 0
    except KeyboardInterrupt:
        ended = 130
    except KyujangError as error:
        say(error.detail, file=sys.stderr)
        ended = 1
    for verb, document_id in sorted(report.planned):
        say(f"{verb}\t{document_id}")
    for line in report.failures():
        say(line, file=sys.stderr)
    say(("Nothing was done. It would be: " if options.dry_run else "") + report.summary())
    if warnings := report.warnings():
        say(warnings)
    if report.outdated:
        say(
            f"{report.outdated} of the unchanged documents were made by another loader or splitter than today's: "
            "'python -m ingest rechunk' makes their chunks again."
        )
    if report.waiting:
        say(f"Accepted and not yet done: {report.waiting}; a worker goes on with them.")
    elif options.no_wait:
        say(f"Accepted: {report.accepted}; a worker goes on with them.")
    if ended:
        say("Stopped before the end; the same command again does the rest.", file=sys.stderr)
    return ended or (1 if report.counts["failed"] else 0)


async def _add_all(
    settings: Settings, options: argparse.Namespace, sources: Sequence[Source], report: AddReport
) -> None:
    if options.delete and not all(path.is_dir() for path in options.paths):
        raise KyujangError("--delete goes with folders: of a file alone, nothing can be gone.")
    how = Options(
        metadata=options.metadata,
        ocr=options.ocr,
        collection=options.collection,
        present=present(options.paths, prefix=options.prefix) if options.delete else None,
        prefix=options.prefix,
        parallel=options.parallel,
        wait=not options.no_wait,
        dry_run=options.dry_run,
    )
    async with _open_target(settings, options) as target:
        with tqdm(total=len(sources), unit="document", disable=None) as bar:
            await add(target, sources, how, report, bar)


def _open_target(settings: Settings, options: argparse.Namespace) -> AbstractAsyncContextManager[Target]:
    ingests = not (options.no_wait or options.dry_run)
    if options.engine == "ray":
        if options.url:
            raise KyujangError("--engine ray works on the database itself: leave --url out.")
        return open_for_ray(with_database_url(settings), options.tenant, address=options.ray_address, ingests=ingests)
    if options.in_place:
        return open_database_target(with_database_url(settings), options.tenant, ingest_by_worker if ingests else None)
    return open_http_target(settings, url=options.url, key=options.key)


def open_for_ray(
    settings: Settings, tenant: str, *, address: str | None, ingests: bool = True
) -> AbstractAsyncContextManager[Target]:
    """Accept all there is before Ray begins: to start its stages takes longer than many a document."""
    ingest = partial(ingest_with_ray, address=address) if ingests else None
    return open_database_target(settings, tenant, ingest, batch=JOB_DOCUMENTS, window=CLAIM_AT_ONCE)


def _metadata(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('is a JSON object, such as {"year": 2026}')
    if FOLDER in value:
        raise argparse.ArgumentTypeError(f"{FOLDER!r} is what --label sets")
    try:
        return clean_metadata(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parallel(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PARALLEL:
        raise argparse.ArgumentTypeError(f"from 1 to {MAX_PARALLEL}")
    return int(text)
