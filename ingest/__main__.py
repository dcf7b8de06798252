"""The command line: python -m ingest --help."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr, ValidationError
from tqdm import tqdm

from app import logs
from app.client import FINISHED, POLL_S, ServiceRefused, call, open_client
from app.embedding import Encoder, open_encoder, with_stored
from app.errors import KyujangError
from app.services import open_services
from app.settings import Settings
from app.up.postgres import running_owner_url
from ingest import reindex
from ingest.sweep import keep_swept
from ingest.worker import run

NICENESS = 10


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ingest", description="Take documents in")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="send files and folders to the service, and wait until they are searchable")
    add.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    add.add_argument("--url", help="the service (KYUJANG_URL)")
    add.add_argument("--key", help="the tenant's key (KYUJANG_KEY)")
    add.set_defaults(command=_add)
    _add_reindex(commands)
    commands.add_parser("worker", help="carry out what was accepted").set_defaults(command=_worker)
    options = parser.parse_args(arguments)
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
        sweeping = asyncio.create_task(keep_swept(services))
        await run(services, stop)
        sweeping.cancel()


def _add(settings: Settings, options: argparse.Namespace) -> int:
    files = sorted(_files(options.paths))
    if not files:
        raise KyujangError("There is no file in what you named.")
    failures: list[tuple[str, str]] = []
    with (
        open_client(settings, url=options.url, key=options.key) as client,
        tqdm(total=len(files), unit="document", disable=None) as bar,
    ):
        waiting: dict[str, Path] = {}
        for file in files:
            try:
                waiting[_send(client, file)] = file
            except (ServiceRefused, OSError) as error:
                failures.append((str(file), str(error)))
                bar.update()
        while waiting:
            _collect(client, waiting, failures, bar)
            time.sleep(POLL_S)
    for name, reason in failures:
        print(f"{name}: {reason}", file=sys.stderr)
    print(f"{len(files) - len(failures)} of {len(files)} documents are searchable.")
    return 1 if failures else 0


def _add_reindex(commands: Any) -> None:
    words = "another embedding model for what is stored, beside the old one until it is complete"
    parser = commands.add_parser("reindex", help=words, description=words)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--model", help="build this model's vectors and switch to them; again to go on after a break")
    action.add_argument("--rollback", action="store_true", help="switch back to the model before")
    action.add_argument("--drop", metavar="MODEL", help="delete a model's vectors that are not searched")
    action.add_argument("--list", action="store_true", help="the models that have vectors here")
    parser.add_argument("--build-only", action="store_true", help="with --model: do not switch yet")
    parser.add_argument("--endpoint", help="with --model: an OpenAI-compatible embeddings endpoint that has it")
    parser.add_argument("--max-tokens", type=int, help="with --endpoint: tokens its model takes")
    parser.add_argument("--query-prefix", default="", help="with --model: put before each question")
    parser.add_argument("--passage-prefix", default="", help="with --model: put before each chunk")
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


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        else:
            yield path


def _send(client: httpx.Client, file: Path) -> str:
    with file.open("rb") as content:
        job: dict[str, Any] = call(client, "POST", "/ingest", files={"file": (file.name, content)})
    return str(job["id"])


def _collect(client: httpx.Client, waiting: dict[str, Path], failures: list[tuple[str, str]], bar: tqdm[Any]) -> None:
    for job_id, file in list(waiting.items()):
        job = call(client, "GET", f"/jobs/{job_id}")
        document = job["documents"][0]
        bar.set_postfix_str(f"{file.name}: {document['stage']} {document['chunks_done']}/{document['chunks'] or '?'}")
        if job["status"] not in FINISHED:
            return
        if document["error"]:
            failures.append((str(file), f"{document['error']['code']}: {document['error']['detail']}"))
        del waiting[job_id]
        bar.update()


if __name__ == "__main__":
    sys.exit(main())
