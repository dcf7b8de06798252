"""Which account runs PostgreSQL, and what it can reach. PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import NotConfigured

UNPRIVILEGED = ("kyujang", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)

    def can(self, mode: int, path: Path) -> bool:
        """Ask by becoming the account in a child process, so that ACLs and every parent folder count."""
        return _in_child(lambda: self._become_and_try(mode, path))

    def can_enter(self, folder: Path) -> bool:
        return self.can(os.X_OK, folder)

    def _become_and_try(self, mode: int, path: Path) -> bool:
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        return os.access(path, mode)


def _in_child(question: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        answer = False
        try:
            answer = question()
        finally:
            os._exit(0 if answer else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def database_account() -> Account | None:
    """Return the account that runs PostgreSQL; None if this process is not root and runs it itself."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise NotConfigured(
        "PostgreSQL does not run as root, and there is no account for it: run 'useradd --system kyujang', "
        "run make up as an ordinary user, or set DATABASE_URL."
    )
