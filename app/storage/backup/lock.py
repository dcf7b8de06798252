"""Let one backup at a time write to a place."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from app.storage.backup.errors import BackupFailed


def open_locked(path: Path, place: Path) -> BinaryIO:
    """Open a file for one process alone, until it is closed. Raises BackupFailed."""
    file = open(path, "ab", opener=_private)  # noqa: SIM115 - the caller holds it open
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise BackupFailed(f"Another backup is being written to {place}: wait until it ends.") from None
    return file


def _private(path: str, flags: int) -> int:
    # Tenants' documents are for the operator alone.
    return os.open(path, flags, 0o600)
