"""python -m app backup and restore."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.cli.commands import add_command
from app.cli.embedded import embedded_database
from app.settings import Settings
from app.settings.object_storage import storage_url
from app.storage.backup.destinations import keep_newest
from app.storage.backup.make import make_backup
from app.storage.backup.manifest import Manifest
from app.storage.backup.places import Place
from app.storage.backup.reading import open_backup
from app.storage.backup.restore import restore
from app.terminal import say, visible
from app.up.owner import with_database_url

SECRETS = (
    "The backup holds no secret of the settings. Set those that were set before and are not set here: {}. With "
    "containers they are in .env. The database's passwords are this installation's own; tenants' keys work as before."
)


def add_commands(commands: Any) -> None:
    new = add_command(
        commands, "backup", "back up the database, uploaded files and adapters while they are used", _backup
    )
    new.add_argument(
        "destination",
        help="a folder or the URL of object storage, which keep several backups and copy what is new, or a .tar",
    )
    new.add_argument("--keep", type=int, metavar="N", help="keep the N newest backups there and delete the others")
    new.add_argument("--json", action="store_true", help="print what the backup holds as JSON")
    back = add_command(commands, "restore", "restore a backup into an empty installation, or check one", _restore)
    back.add_argument("source", help="the folder, the URL or the .tar of the backup")
    back.add_argument("--name", help="one of the backups there (default: the newest)")
    back.add_argument("--check", action="store_true", help="read all of it and change nothing")
    back.add_argument("--replace", action="store_true", help="delete what the installation has now")
    back.add_argument("--json", action="store_true", help="print what was restored as JSON")


def _place(text: str) -> Place:
    return storage_url(text) if "://" in text else Path(text)


def _backup(settings: Settings, options: argparse.Namespace) -> int:
    settings = with_database_url(settings)
    place = _place(options.destination)
    one_file = isinstance(place, Path) and place.suffix == ".tar"
    if options.keep is not None and (options.keep < 1 or one_file):
        say("--keep takes a number above 0, and a folder or a URL.", file=sys.stderr)
        return 2
    manifest = make_backup(settings, place, Line())
    if options.keep is not None:
        keep_newest(place, options.keep, settings.home)
    _report("backed up", manifest, as_json=options.json)
    return exit_status(manifest, "backup")


def _restore(settings: Settings, options: argparse.Namespace) -> int:
    place = _place(options.source)
    with open_backup(place, options.name, settings.home, only_check=options.check) as backup:
        if options.check:
            backup.check(Line())
            _report("whole", backup.manifest, as_json=options.json)
            return 0
        with embedded_database(settings) as ready:
            restore(ready, backup, replace=options.replace, tell=Line())
    _report("restored", backup.manifest, as_json=options.json)
    if unset := _unset_keys(settings):
        say(SECRETS.format(", ".join(unset)), file=sys.stderr)
    return 0


def _unset_keys(settings: Settings) -> list[str]:
    return [f"KYUJANG_{name.upper()}" for name, value in settings if name.endswith("_key") and value is None]


def exit_status(manifest: Manifest, what: str) -> int:
    """Return the exit status of a command that copied files, and name those that the copy lacks."""
    if not manifest.damaged:
        return 0
    listed = ", ".join(manifest.damaged[:10])
    say(f"These files are missing or changed, so the {what} lacks them: {listed}", file=sys.stderr)
    return 1


def mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _report(done: str, manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"done": done, **asdict(manifest)}, ensure_ascii=False))
        return
    documents = sum(each.documents for each in manifest.tenants)
    say(
        f"{manifest.name} {done}: {len(manifest.tenants)} tenants, {documents} documents, {manifest.file_count} files "
        f"of {mb(manifest.file_bytes)}, {manifest.database.path} of {mb(manifest.database.size)}"
    )


class Line:
    """Shows how far it is: in place on a terminal, every quarter of a minute elsewhere."""

    def __init__(self, amount: Callable[[int], str] = mb) -> None:
        self._amount = amount
        self._every_s = 0.2 if sys.stderr.isatty() else 15
        self._shown = time.monotonic()

    def __call__(self, step: str, done: int, total: int) -> None:
        if time.monotonic() - self._shown < self._every_s:
            return
        self._shown = time.monotonic()
        of = f" of {self._amount(total)}" if total else ""
        text = f"{step}: {self._amount(done)}{of}" if done else step
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{visible(text)}")
        else:
            say(text, file=sys.stderr)
