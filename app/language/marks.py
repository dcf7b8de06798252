"""Bound runs of combining marks, which normalisation sorts in quadratic time (UAX #15, Stream-Safe Text)."""

from __future__ import annotations

import re
from functools import cache
from unicodedata import combining

MAX_MARKS = 30
FIRST, LAST = 0x300, 0x1E94A
# They decompose into marks alone, the halfwidth ones in NFKC.
DECOMPOSED = "\u0f73\u0f75\u0f81\uff9e\uff9f"


def has_long_run(text: str) -> bool:
    # A run that is too long covers one of the places looked at first: most texts have no mark there.
    if text.isascii() or not _runs().search(text[:: MAX_MARKS + 1]):
        return False
    return any(run.end() - run.start() > MAX_MARKS for run in _runs().finditer(text))


def cut_runs(text: str) -> str:
    return _runs().sub(lambda run: run[0][:MAX_MARKS], text) if has_long_run(text) else text


@cache
def _runs() -> re.Pattern[str]:
    marks = DECOMPOSED + "".join(chr(code) for code in range(FIRST, LAST + 1) if combining(chr(code)))
    return re.compile(f"[{marks}]+")
