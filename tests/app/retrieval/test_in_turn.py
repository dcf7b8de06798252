"""What several searches found, taken in turn."""

from __future__ import annotations

from dataclasses import replace

from app.retrieval.in_turn import found_in_turn, in_turn
from app.retrieval.search import Found
from tests.app.grounding.test_extractive import match


def test_passages_of_both_parts_come_in_turn_and_once():
    one, two, three = (match(text, chunk=text) for text in ("one", "two", "three"))
    assert [each.chunk_id for each in in_turn([[one, two], [two, three]])] == ["one", "two", "three"]


def test_the_longer_list_goes_on_alone():
    one, two, three = (match(text, chunk=text) for text in ("one", "two", "three"))
    assert [each.chunk_id for each in in_turn([[one], [two, three, one]])] == ["one", "two", "three"]


def test_neighbours_come_after_the_hits_that_are_kept():
    one, two, three = (match(text, chunk=text) for text in ("one", "two", "three"))
    beside_one, beside_three = (
        replace(match(f"beside {hit.chunk_id}", chunk=f"beside {hit.chunk_id}"), neighbour_of=hit.chunk_id)
        for hit in (one, three)
    )
    found = found_in_turn([Found([one, beside_one], False), Found([two, three, beside_three], True)], 2)
    assert [each.chunk_id for each in found.matches] == ["one", "two", "beside one"]
    assert found.dropped_by_min_score
