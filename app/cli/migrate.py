"""python -m app migrate: say what it will do, and do it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

from app.cli.backup import Line, mb
from app.cli.commands import add_command
from app.cli.embedded import embedded_database
from app.embedding import dimension_of
from app.errors import NotConfigured
from app.settings import Settings
from app.storage.migrate import migrate, plan
from app.storage.migration_plan import Plan, Step
from app.terminal import say
from app.up.owner import with_database_url

READS = "AccessExclusiveLock"


def add_commands(commands: Any) -> None:
    new = add_command(commands, "migrate", "create or update roles, schema and indexes in DATABASE_URL", _migrate)
    new.add_argument(
        "--dry-run", action="store_true", help="say what it will do, how long it takes and what waits meanwhile"
    )
    new.add_argument("--json", action="store_true", help="print it as JSON")


def _migrate(settings: Settings, options: argparse.Namespace) -> int:
    with _database(settings) as ready:
        planned = plan(ready)
        if options.dry_run:
            say(json.dumps({"done": "planned", **asdict(planned)}) if options.json else "\n".join(described(planned)))
            return 0
        if planned.stored and planned.steps:
            say("\n".join(described(planned)), file=sys.stderr)
        space = migrate(ready, dimension=lambda: dimension_of(ready), tell=_Told())
    vectors = {"model": space.model, "dimension": space.dimension}
    done = f"The database is up to date; vectors are {space.model}'s, of {space.dimension} dimensions."
    say(json.dumps({"done": "migrated", **asdict(planned), "vectors": vectors}) if options.json else done)
    return 0


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """Use the database that is named, or the embedded one, whether 'make up' is running or not."""
    if settings.database_url is not None:
        yield settings
        return
    if not (settings.home / "postgres" / "data").exists():
        raise NotConfigured(f"There is no database in {settings.home} yet: 'make up' creates it, or set DATABASE_URL.")
    with ExitStack() as stack:
        try:
            ready = stack.enter_context(embedded_database(settings))
        except NotConfigured as refusal:
            try:
                ready = with_database_url(settings)
            except NotConfigured:
                raise refusal from None
        yield ready


class _Told:
    """Says each step that begins, and how far a long one is."""

    def __init__(self) -> None:
        self._line = Line("{:,} chunks".format)

    def __call__(self, step: str, done: int, total: int) -> None:
        if total:
            self._line(step, done, total)
        else:
            say(step, file=sys.stderr)


def described(planned: Plan) -> Iterator[str]:
    """Yield the lines that tell an operator what `migrate` will do."""
    if planned.stored is None:
        yield "The database is empty: everything is created, within seconds."
        return
    if not planned.steps:
        yield f"There is nothing to do: the schema is at revision {planned.stored}."
        return
    yield f"From revision {planned.stored} to {planned.newest}, about {_time(planned.seconds)} in all:"
    for step in planned.steps:
        yield from _step(step)
    if planned.needs_stop:
        yield f"Stop the API and the workers before ({planned.connections} of their connections are open)."
    elif planned.oldest_software:
        yield f"The service may run meanwhile if it is Kyujang {planned.oldest_software} or newer. Stop an older one."
    if planned.no_way_back:
        yield (
            f"Afterwards only Kyujang {planned.oldest_software} or newer runs on this database. The way back is a "
            "backup, so make one before (docs/operations/upgrade.md)."
        )


def _step(step: Step) -> Iterator[str]:
    yield f"{step.name}  {step.says}"
    size = f"about {step.rows:,} rows, {mb(step.bytes)}; " if step.bytes else ""
    yield f"      {size}about {_time(step.seconds)}"
    reads = [table for table, lock in step.locks.items() if lock == READS]
    writes = [table for table, lock in step.locks.items() if lock != READS]
    if reads:
        yield f"      reads and writes wait for: {', '.join(reads)}"
    if writes:
        yield f"      writes wait for: {', '.join(writes)}"
    if step.drops:
        yield f"      gone afterwards: {', '.join(step.drops)}"
    if step.needs_stop:
        yield "      the service has to be stopped"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
