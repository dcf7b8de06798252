"""Move a checked adapter to the folder that engines read it from. It is written once, by rename, and never changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.storage.blobs import sync
from app.storage.peft_folder import CONFIG, FILES
from app.storage.tenancy import TenantNumber

# Begins the name of what is not finished; no engine's name begins so.
UNFINISHED = "."


@contextmanager
def unfinished(adapters: Path, tenant: TenantNumber, engine_name: str, attempt: str) -> Iterator[Path]:
    """Make an empty folder beside the final one, and remove it at the end."""
    folder = adapters / str(tenant) / f"{UNFINISHED}{engine_name}.{attempt}"
    remove(folder)
    folder.mkdir(parents=True, mode=0o755)
    try:
        yield folder
    finally:
        remove(folder)


def write_config(unfinished: Path, config: dict[str, Any]) -> None:
    """Put `config` in place of the uploaded one: an engine gets nothing that was not checked."""
    (unfinished / CONFIG).unlink()
    (unfinished / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False))


def publish(unfinished: Path, final: Path) -> None:
    """Publish the folder under its final name."""
    for name in FILES:
        sync(unfinished / name)
        # The engine may run as another user.
        (unfinished / name).chmod(0o444)
    remove(final)
    sync(unfinished)
    os.rename(unfinished, final)
    final.chmod(0o555)
    for folder in (final, final.parent, final.parent.parent):
        sync(folder)


def remove(folder: Path) -> None:
    if folder.exists():
        folder.chmod(0o755)
        shutil.rmtree(folder)
