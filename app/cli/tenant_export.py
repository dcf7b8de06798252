"""python -m app tenant export and import: one tenant, into a folder or a .tar, and from it."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.adapters.engine_model import base_names, with_engine_model
from app.adapters.model_names import fitting_name, public_names
from app.cli import only
from app.cli.backup import Line, exit_status, mb
from app.cli.commands import add_command
from app.generation.engine import open_engine
from app.metrics import Metrics
from app.settings import Settings
from app.storage.backup.manifest import Exported, Key, Manifest
from app.storage.backup.reading import open_backup
from app.storage.export.load import import_tenant
from app.storage.export.loading import BaseModels
from app.storage.export.make import export_tenant
from app.terminal import say
from app.up.owner import with_database_url


def add_commands(tenant: Any) -> None:
    new = add_command(tenant, "export", "export all that a tenant has while the service runs", _export)
    new.add_argument("id", help="the tenant's id")
    new.add_argument("destination", type=Path, help="a new folder, or a .tar")
    new.add_argument("--json", action="store_true", help="print what the export holds as JSON")
    back = add_command(tenant, "import", "import an export as a new tenant, or check one", _import)
    back.add_argument("source", type=Path, help="the folder or .tar of the export")
    which = back.add_mutually_exclusive_group(required=True)
    which.add_argument("--as", dest="id", metavar="ID", help="the new tenant's id")
    which.add_argument("--check", action="store_true", help="read all of it and change nothing")
    back.add_argument("--json", action="store_true", help="print what was imported as JSON")


def _export(settings: Settings, options: argparse.Namespace) -> int:
    manifest = export_tenant(with_database_url(settings), options.id, options.destination, Line())
    _report("exported", manifest, as_json=options.json)
    return exit_status(manifest, "export")


def _import(settings: Settings, options: argparse.Namespace) -> int:
    with open_backup(options.source, None, settings.home) as backup:
        manifest = backup.manifest
        if options.check:
            backup.check(Line())
            _report("whole", manifest, as_json=options.json)
            return 0
        settings = with_database_url(settings)
        base = asyncio.run(_base_models(settings, manifest.export.base_models if manifest.export else ()))
        imported = asyncio.run(import_tenant(settings, backup, options.id, base, Line()))
    _report(f"imported as {imported.id}", manifest, as_json=options.json, **asdict(imported))
    if imported.embedding:
        say(
            f"The vectors are of another embedding model: a worker reads {imported.embedding} documents again, and "
            "until then they are found by their words alone.",
            file=sys.stderr,
        )
    if imported.refused:
        say(f"These adapters cannot be used here: {', '.join(imported.refused)}", file=sys.stderr)
    _list_keys(manifest.export, imported.id)
    return 0


async def _base_models(settings: Settings, trained_on: Sequence[str]) -> BaseModels:
    """Ask the engine for its model where the settings do not say. Raises EngineUnavailable."""
    if not trained_on or settings.engine == "none":
        return BaseModels(trained_on, "")
    engine = open_engine(settings, Metrics())
    try:
        names = base_names(await with_engine_model(settings, engine))
    finally:
        if engine is not None:
            await engine.close()
    fitting = [name for name in trained_on if fitting_name(name, names)]
    return BaseModels(fitting, f"the engine's base model is {public_names(names)}.")


def _report(done: str, manifest: Manifest, *, as_json: bool, **more: Any) -> None:
    if as_json:
        say(json.dumps({"done": done, **asdict(manifest), **more}, ensure_ascii=False))
        return
    (tenant,) = manifest.tenants
    say(
        f"{tenant.id} {done}: {tenant.documents} documents, {tenant.chunks} chunks, {tenant.adapters} adapters, "
        f"{manifest.file_count} files of {mb(manifest.file_bytes)}, "
        f"rows of {mb(manifest.database.size)}"
    )


def _list_keys(exported: Exported | None, tenant: str) -> None:
    """Say how to make the keys that worked: their secrets are not in an export."""
    valid = [key for key in exported.keys if key.revoked_at is None] if exported else []
    if valid:
        say("Keys are not in an export. To make those again that the tenant had:", file=sys.stderr)
    for key in valid:
        until = f"  # until {key.expires_at}" if key.expires_at else ""
        say(f"  python -m app key add {tenant} --scopes {','.join(key.scopes)}{bound_as(key)}{until}", file=sys.stderr)


def bound_as(key: Key) -> str:
    """Return the options by which the key sees no more than it did."""
    # A filter that has no such form stands there as JSON, which the command refuses.
    conditions = "".join(f" --only {shlex.quote(only.written(each))}" for each in only.parted(key.only))
    return conditions + (f" --groups {shlex.quote(key.groups)}" if key.groups else "")
