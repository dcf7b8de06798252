"""Names files inside others: by paths that lead nowhere, are printable, and differ."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from app.language.marks import cut_runs

MAX_PATH = 300


def safe(path: str) -> str:
    """Return the path without what leads out of its folder and without characters that an id cannot hold."""
    parts = (_printable(part) for part in re.split(r"[/\\]+", path))
    clean = "/".join(part for part in parts if part.strip(". ") and not re.fullmatch(r"[A-Za-z]:", part))
    if len(clean) <= MAX_PATH:
        return clean or "unnamed"
    digest = hashlib.sha256(clean.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    stem, dot, ending = clean.rpartition(".")
    ending = f"{dot}{ending}" if stem and len(ending) <= 10 else ""
    return f"{clean[: MAX_PATH - 20 - len(ending)]}~{digest}{ending}"


def _printable(part: str) -> str:
    text = unicodedata.normalize("NFC", cut_runs(part))
    return "".join(each if unicodedata.category(each)[0] not in "CZ" or each == " " else "_" for each in text).strip()


class Paths:
    """The paths of what one file holds, no two alike."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def add(self, path: str) -> str:
        """Return the path, made safe, with a number if it is taken."""
        path = numbered = safe(path)
        folder, slash, name = path.rpartition("/")
        stem, dot, ending = name.rpartition(".")
        stem, ending = (stem, dot + ending) if stem else (name, "")
        while numbered in self._taken:
            self._last[path] = self._last.get(path, 1) + 1
            numbered = f"{folder}{slash}{stem} ({self._last[path]}){ending}"
        self._taken.add(numbered)
        return numbered
