"""Another user for a child that root starts, who owns nothing; and the files that it is handed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.sandbox.profile import Profile

# Of a range that neither distributions nor systemd assign: https://systemd.io/UIDS-GIDS/
USER = 60_600
SAME = "the worker's"
COPY_BYTES = 1 << 30


@dataclass(frozen=True)
class Handed:
    """Open descriptors by name. Through them a child reads files in folders that it could not enter."""

    read: dict[str, int]
    scratch: dict[str, int]

    @classmethod
    def open(cls, profile: Profile) -> Self:
        """Raises OSError."""
        return cls(
            {name: os.open(path, os.O_PATH | os.O_CLOEXEC) for name, path in profile.read.items()},
            {name: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for name, path in profile.scratch.items()},
        )

    @property
    def paths(self) -> dict[str, Path]:
        return {name: link(descriptor) for name, descriptor in (self.read | self.scratch).items()}

    @property
    def folders(self) -> list[Path]:
        """Return the folders to read."""
        return [link(each) for each in self.read.values() if stat.S_ISDIR(os.fstat(each).st_mode)]


def link(descriptor: int) -> Path:
    return Path("/proc/self/fd", str(descriptor))


def switch_user(handed: Handed, libraries: Iterable[Path]) -> str:
    """Become the user if this is root's process and the user can read its libraries; return whose process it is."""
    if os.geteuid() != 0:
        return SAME
    try:
        os.setgroups([])
        if _unreadable([*libraries, *_with_content(handed.folders)]):
            return f"{SAME}: another one could not read Python's libraries or its folders"
        _make_readable(handed)
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    except OSError as error:
        return f"{SAME}: {error.strerror}"
    return str(USER)


def _with_content(folders: list[Path]) -> list[Path]:
    return [*folders, *(path for folder in folders for path in folder.iterdir())]


def _unreadable(paths: Iterable[Path]) -> bool:
    """Say whether the user cannot read one of those that exist."""
    wanted = {path: os.R_OK | (os.X_OK if path.is_dir() else 0) for path in paths if path.exists()}
    os.setegid(USER)
    os.seteuid(USER)
    try:
        return not all(os.access(path, mode, effective_ids=True) for path, mode in wanted.items())
    finally:
        os.seteuid(0)
        os.setegid(0)


def _make_readable(handed: Handed) -> None:
    """Give the scratch folders away; of a file that others may not read, hand over a copy in memory."""
    for descriptor in handed.scratch.values():
        _give_away(descriptor)
    for name, descriptor in handed.read.items():
        if _unreadable([link(descriptor)]):
            handed.read[name] = _copied(link(descriptor), name)


def _copied(path: Path, name: str) -> int:
    copy = os.memfd_create(name)
    with path.open("rb") as file:
        while os.sendfile(copy, file.fileno(), None, COPY_BYTES):
            pass
    os.fchmod(copy, 0o444)
    return copy


def _give_away(folder: int) -> None:
    """No link is followed, and a file that has a second name elsewhere is left alone."""
    os.chown(link(folder), USER, USER)
    for _, folders, files, within in os.fwalk(".", dir_fd=folder):
        for name in (*folders, *files):
            found = os.stat(name, dir_fd=within, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
                os.chown(name, USER, USER, dir_fd=within, follow_symlinks=False)
