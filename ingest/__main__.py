"""The command line: python -m ingest --help."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from functools import partial

from pydantic import ValidationError

from app import cpu, logs, tracing
from app.bootstrap import open_services
from app.concurrency import run_forever
from app.errors import KyujangError
from app.sandbox.kernel import hide_process
from app.sandbox.protections import log_protections
from app.settings import Settings
from app.settings.faults import faults
from app.terminal import say
from ingest import cleanup, indexing, merging, tenant_deletion
from ingest.langchain_split import import_library
from ingest.metrics_server import metrics_shown
from ingest.reindexing import command as reindex
from ingest.sync import command as add
from ingest.sync import rechunk
from ingest.tune import command as tune
from ingest.worker import run


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ingest", description="Ingest documents, and process what was accepted"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add.add_parser(commands)
    rechunk.add_parser(commands)
    reindex.add_parser(commands)
    tune.add_parser(commands)
    words = "process accepted documents, adapters and trainings"
    commands.add_parser("worker", help=words, description=words).set_defaults(command=_worker)
    return parser


def main(arguments: list[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    try:
        return int(options.command(Settings(), options))
    except ValidationError as error:
        say("\n".join(faults(error)), file=sys.stderr)
    except KyujangError as error:
        say(error.detail, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _worker(settings: Settings, _: argparse.Namespace) -> int:
    logs.configure(settings.log_level)
    if settings.splitter == "langchain":
        # Otherwise every document would fail.
        import_library()
    with tracing.sending("kyujang-worker", to=settings.otlp_endpoint):
        asyncio.run(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Questions come first.
    cpu.go_behind_others(settings.worker_nice)
    # A cross-encoder takes a gigabyte, and a worker ranks nothing.
    settings = settings.model_copy(update={"reranker": None, "checker": None})
    async with open_services(settings, on_spare_cores=True) as services:
        await log_protections()
        sweeps = (
            cleanup.remove_noted_forever, cleanup.run_forever, tenant_deletion.delete_forever,
            indexing.follow_forever, merging.merge_forever,
        )  # fmt: skip
        sweeping = [asyncio.create_task(run_forever(partial(sweep, services))) for sweep in sweeps]
        async with metrics_shown(services):
            await run(services, stop)
        for each in sweeping:
            each.cancel()


if __name__ == "__main__":
    hide_process()
    sys.exit(main())
