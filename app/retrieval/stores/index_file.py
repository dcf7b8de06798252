"""Index files: a cache beside the database. Whatever is wrong with one, it is as if there were none."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.storage.tenancy import TenantNumber

WRITTEN_WITHIN_S = 3600
FORMAT = b"kyujang-index-2\n"


@dataclass(frozen=True, slots=True)
class Header:
    """What an index was made of."""

    tenant: TenantNumber
    version: int
    model: str
    dimension: int


def path_of(folder: Path, tenant: TenantNumber) -> Path:
    return folder / f"{tenant}.faiss"


def write(folder: Path, header: Header, content: NDArray[np.uint8]) -> None:
    """Readers see the old file or the new one, after a crash too."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            head = {**asdict(header), "sha256": hashlib.sha256(content.data).hexdigest()}
            file.write(FORMAT + json.dumps(head).encode() + b"\n")
            file.write(content.data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path_of(folder, header.tenant))
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def read(folder: Path, tenant: TenantNumber, *, model: str, dimension: int) -> tuple[int, NDArray[np.uint8]] | None:
    """Return version and content; None if the file is missing, damaged or of another tenant or model."""
    try:
        with path_of(folder, tenant).open("rb") as file:
            if file.readline(len(FORMAT)) != FORMAT:
                return None
            head = json.loads(file.readline(1000))
            content = np.fromfile(file, np.uint8)
    except (OSError, ValueError):
        return None
    wanted = {
        "tenant": tenant,
        "model": model,
        "dimension": dimension,
        "sha256": hashlib.sha256(content.data).hexdigest(),
    }
    if not isinstance(head, dict) or not isinstance(head.get("version"), int):
        return None
    if {name: head.get(name) for name in wanted} != wanted:
        return None
    return head["version"], content


def remove(folder: Path, tenant: TenantNumber) -> None:
    path_of(folder, tenant).unlink(missing_ok=True)


def remove_all_but(folder: Path, tenants: set[TenantNumber]) -> None:
    """Remove the files of deleted tenants, and what a crash left half written."""
    kept = {path_of(folder, tenant) for tenant in tenants}
    left = [path for path in folder.glob(".*.tmp") if time.time() - path.stat().st_mtime > WRITTEN_WITHIN_S]
    for path in [*left, *(path for path in folder.glob("*.faiss") if path not in kept)]:
        path.unlink(missing_ok=True)
