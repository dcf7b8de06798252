"""Confine this process: what it holds open and what it is allowed stay, everything else is closed for good.

Each protection that the kernel lacks or forbids is left out and named; the others still hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.sandbox import kernel, landlock, seccomp
from app.sandbox.libraries import devices, python_folders, readable
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.user import Handed, switch_user

ON, OFF = "on", "off"


@dataclass(frozen=True, slots=True)
class Confined:
    """`paths`: where the files of the profile are now. `protections`: the state of each, for people."""

    paths: dict[str, Path]
    protections: dict[str, str]


def count_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def confine(profile: Profile, limits: Limits, parent: int | None = None) -> Confined:
    """Give everything up, and end with `parent`. Raises OSError if a file of the profile is missing, RuntimeError
    beside other threads."""
    if count_threads() > 1:
        # Landlock binds the thread that calls it and those that it starts.
        raise RuntimeError("an import has started a thread; the sandbox would not hold it")
    handed = Handed.open(profile)
    rules = [*_library_rules(gpu=profile.gpu), *_link_rules(handed)]
    network = _state(lambda: kernel.unshare(kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC))
    protections = {"user": switch_user(handed, python_folders())}
    if parent is not None:
        # Not before: to become another user would undo it.
        kernel.end_with(parent)
    if network != ON:
        everyone_s = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC
        network = _state(lambda: kernel.unshare(everyone_s))
    protections["network_namespace"] = network
    protections["not_dumpable"] = _state(kernel.hide_process)
    protections["no_new_privileges"] = _state(lambda: kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1))
    handed_rules = [(each, landlock.READ) for each in handed.read.values()]
    handed_rules += [(each, landlock.WRITE) for each in handed.scratch.values()]
    protections["landlock"] = _state(lambda: f"version {landlock.restrict([*rules, *handed_rules])}")
    for descriptor, _ in rules:
        os.close(descriptor)
    protections["no_capabilities"] = _state(kernel.drop_capabilities)
    limits.apply()
    protections["system_calls"] = _state(seccomp.filter_system_calls)
    return Confined(handed.paths, protections)


def _library_rules(*, gpu: bool) -> Iterator[tuple[int, int]]:
    for rights, paths in ((landlock.READ, readable(gpu=gpu)), (landlock.DEVICE, devices(gpu=gpu))):
        yield from ((descriptor, rights) for descriptor in _opened(paths))


def _link_rules(handed: Handed) -> Iterator[tuple[int, int]]:
    """A model's folder in Hugging Face's cache has links to the files."""
    for folder in handed.folders:
        links = (Path(entry.path) for entry in os.scandir(folder) if entry.is_symlink())
        yield from ((descriptor, landlock.READ) for descriptor in _opened(links))


def _opened(paths: Iterable[Path]) -> Iterator[int]:
    """Open those that exist."""
    for path in paths:
        with suppress(OSError):
            yield os.open(path, os.O_PATH | os.O_CLOEXEC)


def _state(protect: Callable[[], str | None]) -> str:
    try:
        return protect() or ON
    except OSError as error:
        return f"{OFF}: {error.strerror}"
