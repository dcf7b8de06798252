"""Cleans text before chunks are cut from it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import islice

from app.language.marks import MAX_MARKS, cut_runs, has_long_run
from app.language.runs import Runs
from ingest.loading.parsed import Notice

BLANK = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff"
)
RETURN = re.compile("\r")
LINE_ENDS = "\v\f\x85\u2028\u2029"
CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff"
UNWANTED = re.compile(f"[{CONTROLS}]")
# They only say where a line may break, or are for machines: inside a word they hide it from a search.
WITHOUT_SHAPE = "\xad\u034f\u180e\u200b\u2060-\u2064\ufff9-\ufffb\U000e0000-\U000e007f"
INVISIBLE = re.compile(f"[{WITHOUT_SHAPE}]")
# In other scripts and among emojis joiners decide what is shown.
WITHOUT_JOINERS = "0-9A-Za-z\u00c0-\u024f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
JOINING = "\u200c\u200d\ufe00-\ufe0f"
JOINER = re.compile(f"[{JOINING}]+")
# Such a pattern begins with what is rare: only there does `re` look at what stands before.
JOINERS = re.compile(f"[{JOINING}](?<=[{WITHOUT_JOINERS}][{JOINING}])[{JOINING}]*+(?=[{WITHOUT_JOINERS}])")
# Without letters that go from right to left there is nothing to turn round.
TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
DIRECTIONS = re.compile(f"[{TURNING}]")
RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
# Most texts have few of these, so that one look tells what there is to do; text with more has it all done.
SPECIAL = re.compile(f"[{CONTROLS}{WITHOUT_SHAPE}{JOINING}{TURNING}{LINE_ENDS}]")
MAX_SPECIAL, ALL_KINDS = 10_000, f"\x00\xad\u200d\u200e{LINE_ENDS}"
# White and invisible characters make no token and no word: a run of them would make a chunk of any size.
MAX_BLANK = 100
MARKS_CUT = Notice("truncated", f"Runs of more than {MAX_MARKS} combining marks were cut to that many.")
BLANKS = Runs(BLANK, MAX_BLANK)
LONG_BLANK = re.compile(rf"[{BLANK}](?<![{BLANK}][{BLANK}])[{BLANK}]{{{MAX_BLANK},}}+")


def clean_text(text: str) -> str:
    """Return NFC with line feeds alone, without control and invisible characters and what PostgreSQL or JSON cannot
    hold, and with long runs of combining marks, white space and characters without a shape cut short."""
    if len(text) <= MAX_BLANK and text.isascii() and text.isprintable():
        return text
    if RETURN.search(text):
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    special = _special(text)
    for line_end in LINE_ENDS:
        if line_end in special:
            text = text.replace(line_end, "\n\n" if line_end == "\u2029" else "\n")
    if UNWANTED.search(special):
        text = UNWANTED.sub("", text)
    if BLANKS.are_in(text):
        text = LONG_BLANK.sub(_break, text)
    if special:
        text = _without_special(text, special)
    return unicodedata.normalize("NFC", cut_runs(text))


def _special(text: str) -> str:
    """Return which special characters the text has, or one of each kind; none if there are joiners alone that stay."""
    found = list(islice(SPECIAL.finditer(text), MAX_SPECIAL + 1))
    if len(found) > MAX_SPECIAL:
        return ALL_KINDS
    kinds = "".join({each[0] for each in found})
    if JOINER.fullmatch(kinds) and not any(JOINERS.match(text, each.start()) for each in found):
        return ""
    return kinds


def _without_special(text: str, special: str) -> str:
    if DIRECTIONS.search(special) and DIRECTIONS.search(text) and not RIGHT_TO_LEFT.search(text):
        text = DIRECTIONS.sub("", text)
    if INVISIBLE.search(special):
        text = INVISIBLE.sub("", text)
    return JOINERS.sub("", text) if JOINER.search(special) else text


def notice_of_cut_marks(texts: Sequence[str]) -> list[Notice]:
    """Return a notice if `clean_text` cuts runs of marks in any of the texts."""
    return [MARKS_CUT] if any(map(has_long_run, texts)) else []


def _break(blank: re.Match[str]) -> str:
    return next((each for each in ("\n\n", "\n") if each in blank[0]), " ")
