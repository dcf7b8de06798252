"""python -m app storage."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

from app.cli.backup import Line, mb
from app.cli.commands import add_command, add_group
from app.errors import NotConfigured
from app.settings import Settings
from app.settings.object_storage import storage_url
from app.storage.database import Database
from app.storage.moving import Moved, move_blobs
from app.storage.moving_adapters import move_adapters
from app.storage.object_storage import ObjectStorage, StorageUnavailable
from app.terminal import say
from app.up.owner import with_database_url

NEXT = (
    "Now set KYUJANG_STORAGE={url} for the API and all workers, restart them, and run this command again: it takes "
    "what was uploaded meanwhile, and removes the files from the folder."
)


def add_commands(commands: Any) -> None:
    storage = add_group(commands, "storage", "where uploaded files are kept")
    move = add_command(storage, "move", "move uploaded files from the data folder to object storage, in use", _move)
    move.add_argument("target", metavar="URL", help="s3://bucket/prefix, gs://bucket/prefix or az://container/prefix")
    move.add_argument("--json", action="store_true", help="print what was moved as JSON")


def _move(settings: Settings, options: argparse.Namespace) -> int:
    target = ObjectStorage(storage_url(options.target))
    in_use = settings.storage is not None and storage_url(settings.storage) == target.url
    if settings.storage is not None and not in_use:
        raise NotConfigured("Files are moved from the folder to the place that KYUJANG_STORAGE names, or will name.")
    try:
        ready = settings if settings.service_database_url else with_database_url(settings)
        moved = asyncio.run(_moved(ready, target, remove=in_use))
    except StorageUnavailable as error:
        say(f"{error.reason} What was moved stays moved: run the command again.", file=sys.stderr)
        return 1
    _report(moved, str(target.url), in_use=in_use, as_json=options.json)
    return 1 if moved.damaged or moved.held_by_backup else 0


async def _moved(settings: Settings, target: ObjectStorage, *, remove: bool) -> Moved:
    await target.check()
    database = Database(settings.service_url, pool_size=2)
    await database.open()
    try:
        moved = await move_blobs(database, settings.blobs, target, remove=remove, tell=Line())
        if remove:
            moved.adapters = await move_adapters(database, settings.adapters, target)
        return moved
    finally:
        await database.close()


def _report(moved: Moved, url: str, *, in_use: bool, as_json: bool) -> None:
    if as_json:
        say(json.dumps(asdict(moved), ensure_ascii=False))
    else:
        say(
            f"{moved.copied} files of {mb(moved.copied_bytes)} copied to {url}, {moved.there_already} were "
            f"there, {moved.removed_from_folder} removed from the folder; {moved.adapters} adapters moved"
        )
    if moved.damaged:
        listed = ", ".join(moved.damaged[:10])
        say(f"These are not what was uploaded, and stay in the folder alone: {listed}", file=sys.stderr)
    if moved.held_by_backup:
        say("A backup is being made, so files stay in the folder: run the command again later.", file=sys.stderr)
    if not in_use:
        say(NEXT.format(url=url), file=sys.stderr)
