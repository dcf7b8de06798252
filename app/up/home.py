"""The data folder while Kyujang runs: held by one process, with a folder for sockets."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import NotConfigured
from app.up.postgres import SOCKET_PATH_LIMIT


@contextmanager
def lock_home(home: Path) -> Iterator[None]:
    """Hold the data folder, which two servers must not use at once."""
    with (home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise NotConfigured(
                f"another Kyujang (pid {lock.read().strip() or 'unknown'}) uses {home}: "
                "stop it, or set KYUJANG_HOME and KYUJANG_PORT to start a second one."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def socket_folder(home: Path) -> Iterator[Path]:
    """Make a folder for sockets that only this account enters, at a short path if the usual one is too long."""
    folder = home / "run"
    if len(str(folder / "engine.sock")) > SOCKET_PATH_LIMIT:
        folder = Path(tempfile.mkdtemp(prefix="kyujang-", dir="/tmp"))
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
