"""The question sets of bench.understanding keep to their form; nothing is asked here."""

from __future__ import annotations

import pytest

from bench.understanding.sets import HALVES, KINDS, NO_ANSWER, shelves

WITHOUT_REFUSALS = ("crosslingual", "language", "shelf")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_enough_questions_in_halves_that_share_none(kind):
    halves = {
        half: {(*case.turns, case.text) for shelf in shelves([kind], [half]) for case in shelf.cases} for half in HALVES
    }
    assert sum(map(len, halves.values())) >= 60
    assert not halves["tune"] & halves["report"]
    titles = [{document.text for shelf in shelves([kind], [half]) for document in shelf.documents} for half in HALVES]
    assert not titles[0] & titles[1]


@pytest.mark.parametrize(
    "shelf", list(shelves(KINDS, HALVES)), ids=lambda shelf: f"{shelf.kind}-{shelf.language}-{shelf.half}"
)
def test_about_a_third_of_the_questions_has_no_answer(shelf):
    refused = sum(case.expected == NO_ANSWER for case in shelf.cases) / len(shelf.cases)
    assert (refused == 0) if shelf.kind in WITHOUT_REFUSALS else 0.25 <= refused <= 0.45


def test_a_copy_is_the_text_with_another_ending():
    shelf = next(shelves(["copies"], ["tune"]))
    texts = [document.text for document in shelf.documents if document.title == "주차 규정"]
    assert (len(texts), len(set(texts))) == (8, 1)
    assert len({document.text for document in shelf.documents if document.title == "보안"}) == 8
