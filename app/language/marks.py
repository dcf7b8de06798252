"""Bound runs of combining marks, which normalisation sorts in quadratic time (UAX #15, Stream-Safe Text)."""

from __future__ import annotations

import re
from functools import cache
from unicodedata import combining

from app.language.runs import Runs

MAX_MARKS = 30
FIRST, LAST = 0x300, 0x1E94A
# They decompose into marks alone, the halfwidth ones in NFKC.
DECOMPOSED = "\u0f73\u0f75\u0f81\uff9e\uff9f"


def has_long_run(text: str) -> bool:
    return not text.isascii() and _runs().are_in(text)


def cut_runs(text: str) -> str:
    return _run().sub(lambda run: run[0][:MAX_MARKS], text) if has_long_run(text) else text


@cache
def _runs() -> Runs:
    # `re` compares each character with every range beyond the BMP.
    return Runs(_marks(FIRST, LAST), MAX_MARKS, among=f"{_marks(FIRST, 0xFFFF)}\U00010000-{chr(LAST)}")


@cache
def _run() -> re.Pattern[str]:
    return re.compile(f"[{_marks(FIRST, LAST)}]+")


def _marks(first: int, last: int) -> str:
    return "".join(chr(code) for code in range(first, last + 1) if combining(chr(code)) or chr(code) in DECOMPOSED)
