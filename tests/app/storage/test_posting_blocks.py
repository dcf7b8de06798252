"""What is packed comes out again, whatever is merged in between."""

from __future__ import annotations

import numpy as np
import pytest

from app.storage.posting_blocks import BLOCK_BYTES, Lists, find, merge, pack, unpack

Held = dict[str, dict[int, int]]


def made(seed: int, chunks: int) -> Held:
    """Of terms that from one chunk to all hold."""
    generator = np.random.default_rng(seed)
    held = {}
    for n in range(600):
        places = np.flatnonzero(generator.random(chunks) < 1 / (n + 1))
        if len(places):
            held[f"낱말{n}" if n % 2 else f"w{n}"] = dict(
                zip(places.tolist(), generator.integers(0, 30_000, len(places)).tolist(), strict=True)
            )
    return held


def lists(held: Held, moved: list[int]) -> Lists:
    return Lists(
        [term.encode() for term in held],
        np.array([len(its) for its in held.values()]),
        np.array([place for its in held.values() for place in its]),
        np.array([impact for its in held.values() for impact in its.values()], np.int16),
        np.array(moved),
    )


def found(blocks: list[tuple[bytes, bytes]], terms: list[str]) -> Held:
    """As a search finds them: in the last block that begins at the term or before."""
    held = {}
    for term in terms:
        before = [block for first, block in blocks if first <= term.encode()]
        if before and (its := find(before[-1], term.encode())) is not None:
            held[term] = dict(zip(its.places.tolist(), its.impacts.tolist(), strict=True))
    return held


@pytest.mark.parametrize("chunks", [1, 300, 1 << 16])
def test_what_is_packed_is_found(chunks):
    held = made(1, chunks)
    blocks = list(pack(merge([lists(held, list(range(chunks)))])))
    assert found(blocks, [*held, "absent", "", "힣"]) == held
    assert [first for first, _ in blocks] == sorted(first for first, _ in blocks)
    large = [block for _, block in blocks if len(block) > BLOCK_BYTES + 8]
    assert all(len(unpack([block], np.arange(chunks)).terms) == 1 for block in large)


def test_segments_become_one_without_what_is_gone():
    one, other = made(1, 200), made(2, 100)
    gone = {3, 5, 199}
    kept = [place for place in range(200) if place not in gone]
    moved = [kept.index(place) if place in kept else -1 for place in range(200)]
    second = unpack([block for _, block in pack(merge([lists(other, list(range(100)))]))], np.arange(197, 297))
    merged = merge([lists(one, moved), second])
    expected: Held = {}
    for held, places in ((one, moved), (other, range(197, 297))):
        for term, its in held.items():
            for place, impact in its.items():
                if places[place] >= 0:
                    expected.setdefault(term, {})[places[place]] = impact
    terms = sorted(one.keys() | other.keys())
    assert found(list(pack(merged)), terms) == expected
    lost = {term: len(its.keys() & gone) for term, its in one.items()}
    assert {term.decode(): count for term, count in zip(merged.terms, merged.lost.tolist(), strict=True)} == {
        term: lost.get(term, 0) for term in terms
    }


def test_nothing_is_left_of_what_is_gone():
    assert list(pack(merge([lists(made(1, 9), [-1] * 9)]))) == []
