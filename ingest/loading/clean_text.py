"""Cleans text before chunks are cut from it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from app.language.marks import MAX_MARKS, cut_runs, has_long_run
from app.language.runs import Runs
from ingest.loading.parsed import Notice

BLANK = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff"
)
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
AFTER_LETTER, BEFORE_LETTER = f"(?<=[{WITHOUT_JOINERS}][{JOINING}])", f"[{JOINING}]*+(?=[{WITHOUT_JOINERS}])"
JOINERS = re.compile(f"[{JOINING}]{AFTER_LETTER}{BEFORE_LETTER}")
# Each begins with one certain character, so that `re` goes to it several times as fast.
USUAL_JOINERS = {joiner: re.compile(f"{joiner}{AFTER_LETTER}{BEFORE_LETTER}") for joiner in "\u200c\u200d\ufe0f"}
# Without letters that go from right to left there is nothing to turn round.
TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
DIRECTIONS = re.compile(f"[{TURNING}]")
RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
# What most texts consist of, and the marks of pictures. Of these the joiners alone may be left out, and none changes in
# NFC, so that one look is enough.
USUAL = (
    f"\t\n -~{''.join(USUAL_JOINERS)}\u00a0-\u00ac\u00ae-\u02ff\u0391-\u03ff\u0400-\u0482\u048a-\u052f\u1e00-\u1eff"
    "\u2002-\u200a\u2010-\u2027\u2030-\u205e\u2070-\u20cf\u2100-\u2125\u2150-\u2328\u232b-\u27ff"
    "\u3000-\u3029\u3030-\u3098\u309b-\u30ff\u3131-\u318e\u3200-\u9fff\uac00-\ud7a3"
    "\ufdd0\ufdd1\uff01-\uff9d\U0001f300-\U0001faff"
)
UNUSUAL = re.compile(f"[^{USUAL}]")
# Of these most other texts have few, so that a second look tells what there is to do; text with more has it all done.
SPECIAL = re.compile(f"[{CONTROLS}{WITHOUT_SHAPE}{JOINING}{TURNING}{LINE_ENDS}]")
MAX_SPECIAL, ALL_KINDS = 100_000, f"\x00\xad\u200d\u200e{LINE_ENDS}"
# Of one kind after the other a text is freed faster than of all at once, unless there are more.
MAX_KINDS = 8
# Shorter parts are normalised by themselves: those that are normal already, as most are, cost a tenth of the others.
NORMALISED_AT_ONCE = 300
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
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    is_usual = not UNUSUAL.search(text)
    special = "" if is_usual else _special(text)
    for line_end in LINE_ENDS:
        if line_end in special:
            text = text.replace(line_end, "\n\n" if line_end == "\u2029" else "\n")
    text = _without(UNWANTED, text, special)
    if BLANKS.are_in(text):
        text = LONG_BLANK.sub(_break, text)
    if is_usual:
        joins = any(joiner in text and joiners.search(text) for joiner, joiners in USUAL_JOINERS.items())
        return JOINERS.sub("", text) if joins else text
    return _normalised(cut_runs(_without_special(text, special) if special else text))


def _special(text: str) -> str:
    """Return which special characters the text has, or one of each kind; none if there are joiners alone that stay."""
    kinds, joins = set[str](), False
    for count, found in enumerate(SPECIAL.finditer(text)):
        if count == MAX_SPECIAL:
            return ALL_KINDS
        kinds.add(found[0])
        joins = joins or JOINERS.match(text, found.start()) is not None
    special = "".join(kinds)
    return "" if JOINER.fullmatch(special) and not joins else special


def _without(unwanted: re.Pattern[str], text: str, special: str) -> str:
    """Return the text without the unwanted characters, of which it has no others than the special ones."""
    kinds = unwanted.findall(special)
    if len(kinds) > MAX_KINDS or special == ALL_KINDS:
        return unwanted.sub("", text)
    for each in kinds:
        text = text.replace(each, "")
    return text


def _without_special(text: str, special: str) -> str:
    if DIRECTIONS.search(special) and DIRECTIONS.search(text) and not RIGHT_TO_LEFT.search(text):
        text = DIRECTIONS.sub("", text)
    text = _without(INVISIBLE, text, special)
    return JOINERS.sub("", text) if JOINER.search(special) else text


def _normalised(text: str) -> str:
    """Return the text in NFC, which no line end is part of."""
    parts, start = list[str](), 0
    while start < len(text):
        stop = text.find("\n", start + NORMALISED_AT_ONCE) + 1 or len(text)
        parts.append(unicodedata.normalize("NFC", text[start:stop]))
        start = stop
    return "".join(parts)


def notice_of_cut_marks(texts: Sequence[str]) -> list[Notice]:
    """Return a notice if `clean_text` cuts runs of marks in any of the texts."""
    return [MARKS_CUT] if any(map(has_long_run, texts)) else []


def _break(blank: re.Match[str]) -> str:
    return next((each for each in ("\n\n", "\n") if each in blank[0]), " ")
