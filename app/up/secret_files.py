"""Secrets in the data folder, which only its account reads."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

OPERATOR_KEY_FILE = "operator-key"


def operator_key(home: Path) -> str:
    """Return the key that stands for KYUJANG_ADMIN_KEY, made at the first call."""
    file = home / OPERATOR_KEY_FILE
    if not file.exists():
        write_private(file, secrets.token_hex(24))
    return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write the whole file or nothing: half a password would lock its owner out for good."""
    unfinished = file.with_suffix(".unfinished")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    unfinished.rename(file)
