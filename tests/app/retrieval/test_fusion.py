from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.fusion import fuse
from app.retrieval.match import Hit, TermHit

DENSE = [Hit(1, 0.9), Hit(2, 0.8), Hit(3, 0.7)]


def lexical(**coverages: float) -> list[TermHit]:
    return [TermHit(int(chunk[1:]), 5.0, coverage) for chunk, coverage in coverages.items()]


def chunks(hits: list[Hit]) -> list[int]:
    return [hit.chunk for hit in hits]


def test_the_score_is_the_convex_combination():
    assert fuse(DENSE, lexical(_2=0.5), dense_weight=0.8, top_k=1) == [Hit(1, pytest.approx(0.72))]
    assert fuse(DENSE, lexical(_2=1.0), dense_weight=0.8, top_k=1) == [Hit(2, pytest.approx(0.84))]


def test_what_only_the_words_found_counts_as_the_last_of_the_dense_hits():
    found = fuse(DENSE, lexical(_9=1.0), dense_weight=0.8, top_k=10)
    assert found[0] == Hit(9, pytest.approx(0.8 * 0.7 + 0.2))
    assert chunks(found) == [9, 1, 2, 3]


def test_one_leg_alone():
    assert chunks(fuse(DENSE, [], dense_weight=0.8, top_k=10)) == [1, 2, 3]
    assert chunks(fuse([], lexical(_5=0.9, _4=0.3), dense_weight=0.8, top_k=10)) == [5, 4]
    assert fuse([], [], dense_weight=0.8, top_k=10) == []


def test_the_weight_s_ends_are_the_legs():
    words = lexical(_3=1.0, _2=0.5, _1=0.1)
    assert chunks(fuse(DENSE, words, dense_weight=1, top_k=3)) == [1, 2, 3]
    assert chunks(fuse(DENSE, words, dense_weight=0, top_k=3)) == [3, 2, 1]


def test_a_chunk_with_all_the_rare_words_beats_those_that_are_merely_alike():
    """Reciprocal ranks would put 1 first: it leads one list and is second in the other."""
    alike = [Hit(1, 0.86), *(Hit(chunk, 0.85) for chunk in range(10, 60)), Hit(2, 0.82)]
    assert chunks(fuse(alike, lexical(_2=1.0, _1=0.3), dense_weight=0.8, top_k=2)) == [2, 1]


@given(
    st.dictionaries(st.integers(0, 30), st.floats(-1, 1)),
    st.dictionaries(st.integers(0, 30), st.floats(0, 1)),
    st.floats(0, 1),
    st.integers(1, 40),
)
def test_always_k(cosines: dict[int, float], coverages: dict[int, float], weight: float, top_k: int):
    dense = sorted((Hit(*each) for each in cosines.items()), key=lambda hit: -hit.score)
    found = fuse(
        dense, [TermHit(chunk, 1, part) for chunk, part in coverages.items()], dense_weight=weight, top_k=top_k
    )
    assert len(found) == len(set(chunks(found))) == min(top_k, len(cosines.keys() | coverages.keys()))
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert all(-1 <= hit.score <= 1 for hit in found)
