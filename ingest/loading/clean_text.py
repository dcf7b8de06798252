"""Cleans text before chunks are cut from it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from app.language.marks import MAX_MARKS, cut_runs, has_long_run
from ingest.loading.parsed import Notice

BLANK = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff"
)
LINE_ENDS = ("\r\n", "\r", "\v", "\f", "\x85", "\u2028")
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
# White and invisible characters make no token and no word: a run of them would make a chunk of any size.
MAX_BLANK = 100
MARKS_CUT = Notice("truncated", f"Runs of more than {MAX_MARKS} combining marks were cut to that many.")
LONG_BLANK = re.compile(rf"(?<![{BLANK}])[{BLANK}]{{{MAX_BLANK + 1},}}")


def clean_text(text: str) -> str:
    """Return NFC with line feeds alone, without control characters and what PostgreSQL or JSON cannot hold, and with
    long runs of combining marks, white space and invisible characters cut short."""
    for line_end in LINE_ENDS:
        text = text.replace(line_end, "\n")
    text = LONG_BLANK.sub(_break, UNWANTED.sub("", text.replace("\u2029", "\n\n")))
    return unicodedata.normalize("NFC", cut_runs(text))


def notice_of_cut_marks(texts: Sequence[str]) -> list[Notice]:
    """Return a notice if `clean_text` cuts runs of marks in any of the texts."""
    return [MARKS_CUT] if any(map(has_long_run, texts)) else []


def _break(blank: re.Match[str]) -> str:
    return next((each for each in ("\n\n", "\n") if each in blank[0]), " ")
