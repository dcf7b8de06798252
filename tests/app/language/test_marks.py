"""Runs of combining marks are bounded wherever text is normalised, at a cost that grows with the text and no faster."""

from __future__ import annotations

import sys
import time
import unicodedata
from contextlib import suppress

import pytest

from app.embedding import encoder
from app.grounding import evidence
from app.language import content_words
from app.language.analyzer import Analyzer
from app.language.marks import MAX_MARKS, cut_runs, has_long_run
from app.language.unicode import clean
from ingest.loading.clean_text import clean_text

TELLS_NOTHING_S = 0.005
GRAVE_BELOW = "\u0301\u0316"
SHAPES = {
    "marks alone": GRAVE_BELOW,
    "marks of compatibility": "\u0301\uff9e",
    "marks beyond the BMP": "\U0001d165\U0001d16d",
    "several in one": "\u0344\u0f73",
    "as long as allowed": "가" + GRAVE_BELOW * (MAX_MARKS // 2),
    "one for each letter": "e\u0301",
}
NORMALISING = {
    "clean": clean,
    "plain": clean_text,
    "terms": Analyzer("bigrams").terms,
    "lexical": content_words.terms_of,
    "encoder": encoder.normalise,
    "evidence": evidence._bare,
}


def test_a_mark_is_what_decomposes_into_marks_alone():
    for code in range(sys.maxunicode + 1):
        marks = all(map(unicodedata.combining, unicodedata.normalize("NFKD", chr(code))))
        assert has_long_run(chr(code) * (MAX_MARKS + 1)) == marks, hex(code)


@pytest.mark.parametrize("before", range(2 * MAX_MARKS + 3))
def test_a_run_is_found_and_cut_wherever_it_stands(before):
    text = "가" * before
    allowed = text + GRAVE_BELOW * (MAX_MARKS // 2) + "나"
    assert not has_long_run(allowed)
    assert cut_runs(allowed) == allowed
    longer = text + GRAVE_BELOW * (MAX_MARKS // 2) + "\u0301" + "나"
    assert has_long_run(longer)
    assert cut_runs(longer) == allowed


def test_what_is_clean_stays_so():
    clean("e" + "\u0301" * MAX_MARKS)
    for refused in ("e" + "\u0301" * (MAX_MARKS + 1), "\u0344" * MAX_MARKS):
        with pytest.raises(ValueError, match="combining marks"):
            clean(refused)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", NORMALISING)
def test_the_cost_grows_with_the_text_and_no_faster(place, shape):
    text = SHAPES[shape] * (100_000 // len(SHAPES[shape]))

    def seconds(content: str) -> float:
        started = time.thread_time()
        with suppress(ValueError):
            NORMALISING[place](content)
        return time.thread_time() - started

    once, twice = seconds(text), seconds(text * 2)
    # Other processes disturb a measurement; the least of several is that of the text.
    # What is refused at once takes less than a millisecond, which tells nothing.
    for _ in range(20):
        if twice <= 2.5 * once + TELLS_NOTHING_S or twice > 5:
            break
        once, twice = min(once, seconds(text)), min(twice, seconds(text * 2))
    assert twice <= 2.5 * once + TELLS_NOTHING_S, (once, twice)
