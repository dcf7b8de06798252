"""The command line: python -m ingest --help."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from tqdm import tqdm

from app import logs
from app.bootstrap import open_services
from app.concurrency import run_forever
from app.embedding import Encoder, open_encoder, with_stored
from app.errors import KyujangError
from app.language.unicode import clean_metadata
from app.settings import Settings
from app.storage.tenants import DEFAULT_TENANT
from app.up.owner import running_owner_url
from ingest.cleanup import keep_swept
from ingest.cluster.run import open_for_ray
from ingest.reindexing import reindex
from ingest.sync.folder import Source, find, present
from ingest.sync.in_database import open_in_place
from ingest.sync.over_http import open_remote
from ingest.sync.report import Outcomes
from ingest.sync.sync import FOLDER, Options, add
from ingest.tune import command as tune
from ingest.worker import run

NICENESS = 10
MAX_PARALLEL = 64


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ingest", description="Ingest documents, and process what was accepted"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_add(commands)
    _add_reindex(commands)
    tune.add_parser(commands)
    words = "process accepted documents, adapters and trainings"
    commands.add_parser("worker", help=words, description=words).set_defaults(command=_worker)
    return parser


def main(arguments: list[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    try:
        return int(options.command(Settings(), options))
    except (KyujangError, ValidationError) as error:
        print(getattr(error, "detail", error), file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _worker(settings: Settings, _: argparse.Namespace) -> int:
    logs.configure(settings.log_level)
    asyncio.run(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Questions come first.
    os.nice(NICENESS)
    # A cross-encoder takes a gigabyte, and a worker ranks nothing.
    async with open_services(settings.model_copy(update={"reranker": None})) as services:
        sweeping = asyncio.create_task(run_forever(partial(keep_swept, services)))
        await run(services, stop)
        sweeping.cancel()


def _add_add(commands: Any) -> None:
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
    parser.add_argument("--delete", action="store_true", help="delete documents of the folder whose file is gone")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--parallel", type=_parallel, default=4, metavar="N", help="files to send at the same time (4)")
    parser.add_argument("--no-wait", action="store_true", help="do not wait: end as soon as all are accepted")
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
    parser.set_defaults(command=_add)


def _add(settings: Settings, options: argparse.Namespace) -> int:
    chosen = {"prefix": options.prefix, "label": options.label}
    sources = find(options.paths, include=options.include, exclude=options.exclude, **chosen)
    outcomes = Outcomes()
    try:
        asyncio.run(_take_in(settings, options, sources, outcomes))
        ended = 0
    except KeyboardInterrupt:
        ended = 130
    except KyujangError as error:
        print(error.detail, file=sys.stderr)
        ended = 1
    for verb, document_id in sorted(outcomes.planned):
        print(f"{verb}\t{document_id}")
    for line in outcomes.failures():
        print(line, file=sys.stderr)
    print(("Nothing was done. It would be: " if options.dry_run else "") + outcomes.summary())
    if outcomes.waiting:
        print(f"Accepted and not yet done: {outcomes.waiting}; a worker goes on with them.")
    elif options.no_wait:
        print(f"Accepted: {outcomes.accepted}; a worker goes on with them.")
    if ended:
        print("Stopped before the end; the same command again does the rest.", file=sys.stderr)
    return ended or (1 if outcomes.counts["failed"] else 0)


async def _take_in(
    settings: Settings, options: argparse.Namespace, sources: Sequence[Source], outcomes: Outcomes
) -> None:
    if options.delete and not all(path.is_dir() for path in options.paths):
        raise KyujangError("--delete goes with folders: of a file alone, nothing can be gone.")
    opened: Any
    work = not (options.no_wait or options.dry_run)
    if options.engine == "ray":
        if options.url:
            raise KyujangError("--engine ray works on the database itself: leave --url out.")
        opened = open_for_ray(_as_owner(settings), options.tenant, address=options.ray_address, work=work)
    elif options.in_place:
        opened = open_in_place(_as_owner(settings), options.tenant, work=work)
    else:
        opened = open_remote(settings, url=options.url, key=options.key)
    how = Options(
        metadata=options.metadata,
        present=present(options.paths, prefix=options.prefix) if options.delete else None,
        prefix=options.prefix,
        parallel=options.parallel,
        wait=not options.no_wait,
        dry_run=options.dry_run,
    )
    async with opened as target:
        with tqdm(total=len(sources), unit="document", disable=None) as bar:
            await add(target, sources, how, outcomes, bar)


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


def _add_reindex(commands: Any) -> None:
    words = "move stored documents to another embedding model, without a pause"
    parser = commands.add_parser("reindex", help=words, description=words)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--model", help="build this model's vectors and switch to them; run it again to resume after an interruption"
    )
    action.add_argument("--rollback", action="store_true", help="switch back to the previous model")
    action.add_argument("--drop", metavar="MODEL", help="delete the vectors of a model that is not in use")
    action.add_argument("--list", action="store_true", help="list the models that have vectors here")
    parser.add_argument("--build-only", action="store_true", help="with --model: build, but do not switch")
    parser.add_argument("--endpoint", help="with --model: an OpenAI-compatible embeddings endpoint that serves it")
    parser.add_argument("--max-tokens", type=int, help="with --endpoint: the most tokens its model accepts")
    parser.add_argument("--query-prefix", default="", help="with --model: text to put before each question")
    parser.add_argument("--passage-prefix", default="", help="with --model: text to put before each chunk")
    parser.set_defaults(command=_reindex)


def _reindex(settings: Settings, options: argparse.Namespace) -> int:
    settings = _as_owner(settings)
    if options.list:
        for each in reindex.listed(settings):
            print(f"{each.space.model}\t{each.space.state}\t{each.vectors} of {each.chunks} chunks")
        return 0
    if options.drop:
        reindex.drop(settings, options.drop)
        print(f"The vectors of {options.drop} are gone.")
        return 0
    wanted = reindex.before_the_switch(settings) if options.rollback else _wanted(settings, options)
    # Questions come first.
    os.nice(NICENESS)
    encoder = open_encoder(wanted)
    if not options.rollback:
        _build(settings, wanted, encoder)
    if options.build_only:
        print("Built. Run the same command without --build-only to switch.")
        return 0
    reindex.switch(settings, encoder)
    print(f"Searches use {encoder.name}. Before the next start set KYUJANG_EMBEDDER to it, and what goes with it.")
    print("'python -m ingest reindex --rollback' goes back; '--drop MODEL' deletes the vectors of the model before.")
    return 0


def _build(settings: Settings, wanted: Settings, encoder: Encoder) -> None:
    print(f"Building the vectors of {encoder.name}; first, do all chunks fit its limit?", file=sys.stderr)
    with tqdm(unit="chunk", disable=None) as bar:

        def begin(done: int, total: int) -> None:
            bar.reset(total)
            bar.update(done)

        reindex.build(settings, wanted, encoder, begin=begin, advance=bar.update)


def _wanted(settings: Settings, options: argparse.Namespace) -> Settings:
    chosen = {
        "embedder": options.model,
        "embedder_url": options.endpoint,
        "embedder_max_tokens": options.max_tokens or settings.embedder_max_tokens,
        "query_prefix": options.query_prefix,
        "passage_prefix": options.passage_prefix,
    }
    return with_stored(settings, chosen)


def _as_owner(settings: Settings) -> Settings:
    """Without DATABASE_URL the embedded database, which 'make up' has started."""
    if settings.database_url is not None:
        return settings
    return settings.model_copy(update={"database_url": SecretStr(running_owner_url(settings.home / "postgres"))})


if __name__ == "__main__":
    sys.exit(main())
