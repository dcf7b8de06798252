"""The command line: python -m ingest --help."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError
from tqdm import tqdm

from app import logs
from app.client import FINISHED, POLL_S, ServiceRefused, call, open_client
from app.errors import KyujangError
from app.services import open_services
from app.settings import Settings
from ingest.worker import run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ingest", description="Take documents in")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="send files and folders to the service, and wait until they are searchable")
    add.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    add.add_argument("--url", help="the service (KYUJANG_URL)")
    add.add_argument("--key", help="the tenant's key (KYUJANG_KEY)")
    add.set_defaults(command=_add)
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
    # A cross-encoder takes a gigabyte, and a worker ranks nothing.
    async with open_services(settings.model_copy(update={"reranker": None})) as services:
        await run(services, stop)


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
