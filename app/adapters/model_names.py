"""Whether two names mean the same base model. Read by the sandboxed child, so without imports of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath


def fitting_name(given: str, names: Sequence[str]) -> str | None:
    """Return the one of `names` that means the same model."""
    wanted = {name.casefold(): name for name in names}
    return wanted.get(given.casefold()) or {_last(name): name for name in names}.get(_last(given, of_path=True))


def public_names(names: Sequence[str]) -> str:
    """Say the names without paths of this machine."""
    shown = dict.fromkeys(repr(PurePosixPath(name).name if name.startswith("/") else name) for name in names)
    return " or ".join(shown)


def _last(name: str, *, of_path: bool = False) -> str:
    """Return a name's last part, in a hub's cache that of its id. With `of_path`, return nothing for an id."""
    path = PurePosixPath(name.replace("\\", "/"))
    for part in path.parts:
        if part.startswith("models--"):
            return part.rpartition("--")[2].casefold()
    is_path = path.is_absolute() or len(path.parts) > 2 or name.startswith((".", "~")) or "\\" in name
    return "" if of_path and not is_path else path.name.casefold()
