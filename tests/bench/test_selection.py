"""What is given of a ranking, on made-up rankings."""

from __future__ import annotations

import pytest

from bench.retrieval.selection import Ranked, _covering, _shared, _with_neighbours, selections

TITLES = ["a", "a", "a", "a", "b", "b", "c"]


def test_a_document_gives_no_more_than_its_share():
    assert _shared([0, 1, 2, 4, 5, 6], TITLES, 1) == [0, 4, 6]
    assert _shared([0, 1, 2, 4, 5, 6], TITLES, 2) == [0, 1, 4, 5, 6]


def test_neighbours_are_of_the_same_document():
    assert _with_neighbours([3], TITLES) == {2, 3}
    assert _with_neighbours([0, 5], TITLES) == {0, 1, 4, 5}


def test_rare_words_cover_more():
    hits = {hit.chunk: hit.coverage for hit in _covering({"moat", "the"}, {"moat": [0], "the": [0, 1, 2]}, 3)}
    assert hits[0] == pytest.approx(1.0)
    assert hits[1] == hits[2] < 0.5


def test_each_selection_is_compared_with_plain_contexts():
    rows = [Ranked("?", gold, range(7)) for gold in range(7)]
    found = {name: (given.mean(), plain.mean()) for name, _, given, plain in selections(rows, TITLES)}
    assert found["5, 1 of a document"] == pytest.approx((3 / 7, 5 / 7))
    assert found["2 and their neighbours, beside 6"] == pytest.approx((3 / 7, 6 / 7))
