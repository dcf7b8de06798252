"""Pack the postings of a segment: blocks of terms in order, each with the chunks that hold it and their impacts.

A place is a chunk's number among those of its segment, in the order of their ids. A frequent term has a block of its
own, rare ones share one (docs/decisions/0005).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct

import numpy as np
from numpy.typing import NDArray

# A place and the length of a list less one are of two bytes.
MAX_CHUNKS = 1 << 16
# So that PostgreSQL keeps a block in its table's row, four to a page.
BLOCK_BYTES = 1900
# In no term, which consists of letters and digits.
BETWEEN = b"\0"
# How many terms a block has, and how many bytes they take.
SIZES = Struct("<II")

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Postings:
    """Of one term: places, ascending, and the impact at each."""

    places: NDArray[np.integer]
    impacts: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Lists:
    """Of several terms, one list after the other. What is at place n goes to place moved[n], or nowhere if that is
    below zero."""

    terms: Sequence[bytes]
    counts: Integers
    places: NDArray[np.integer]
    impacts: NDArray[np.int16]
    moved: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Merged:
    """Lists made one: terms in order, how many chunks hold each and how many did that go nowhere, and a key for each
    posting, ascending, of term, place and impact."""

    terms: Sequence[bytes]
    counts: Integers
    lost: Integers
    keys: NDArray[np.uint64]


def find(block: bytes, term: bytes) -> Postings | None:
    """Return the term's list, if it is in the block."""
    terms, counts, body = _header(block)
    try:
        at = terms.index(term)
    except ValueError:
        return None
    first, total = (int(counts[:at].sum()), int(counts.sum())) if len(terms) > 1 else (0, int(counts[0]))
    count = int(counts[at])
    return Postings(
        np.frombuffer(block, "<u2", count, body + 2 * first),
        np.frombuffer(block, "<i2", count, body + 2 * (total + first)),
    )


def unpack(blocks: Iterable[bytes], moved: NDArray[np.integer]) -> Lists:
    """Return all lists of a segment's blocks, which come in order."""
    terms: list[bytes] = []
    counts, places, impacts = [], [], []
    for block in blocks:
        its_terms, its_counts, body = _header(block)
        total = int(its_counts.sum())
        terms += its_terms
        counts.append(its_counts)
        places.append(np.frombuffer(block, "<u2", total, body))
        impacts.append(np.frombuffer(block, "<i2", total, body + 2 * total))
    return Lists(terms, np.concatenate(counts), np.concatenate(places), np.concatenate(impacts), moved)


def places_in(among: NDArray[np.integer], sought: Integers) -> Integers:
    """Return the places at which those of `sought` stand that are among the others; both ascend."""
    at = np.searchsorted(among, sought)
    inside: Integers = at[at < len(among)]
    found: Integers = inside[among[inside] == sought[: len(inside)]]
    return found


def merge(sources: Sequence[Lists]) -> Merged:
    terms = sorted(set().union(*(source.terms for source in sources)))
    number = {term: n for n, term in enumerate(terms)}
    counts, before, keys = np.zeros(len(terms), np.int64), np.zeros(len(terms), np.int64), []
    for source in sources:
        own = np.fromiter(map(number.__getitem__, source.terms), np.int32)
        before[own] += source.counts
        places = source.moved[source.places]
        stays = places >= 0
        numbers = np.repeat(own, source.counts)[stays]
        counts += np.bincount(numbers, minlength=len(terms))
        # In place: there may be millions.
        key = numbers.astype(np.uint64)
        key <<= np.uint64(16)
        key |= places[stays].astype(np.uint64)
        key <<= np.uint64(16)
        key |= source.impacts[stays].astype(np.uint64)
        keys.append(key)
    together = np.concatenate(keys)
    together.sort()
    return Merged(terms, counts, before - counts, together)


def pack(merged: Merged) -> Iterator[tuple[bytes, bytes]]:
    """Yield blocks, each with its first term; none has a term that no chunk holds."""
    held = np.flatnonzero(merged.counts)
    terms, counts = [merged.terms[n] for n in held.tolist()], merged.counts[held]
    halves = merged.keys.view("<u2").reshape(-1, 4)
    impacts, places = halves[:, 0].tobytes(), halves[:, 1].tobytes()
    sizes = [len(term) + 3 + 4 * count for term, count in zip(terms, counts.tolist(), strict=True)]
    starts = np.concatenate([[0], np.cumsum(counts)]).tolist()
    for first, stop in pairwise(_cuts(sizes)):
        head = BETWEEN.join(terms[first:stop])
        lengths = (counts[first:stop] - 1).astype("<u2").tobytes()
        of_block = slice(2 * starts[first], 2 * starts[stop])
        counted = SIZES.pack(stop - first, len(head))
        yield terms[first], b"".join([counted, lengths, head, places[of_block], impacts[of_block]])


def _cuts(sizes: Sequence[int]) -> list[int]:
    cuts, filled = [0], 0
    for n, size in enumerate(sizes):
        if filled and filled + size > BLOCK_BYTES:
            cuts.append(n)
            filled = 0
        filled += size
    return [*cuts, len(sizes)] if sizes else cuts


def _header(block: bytes) -> tuple[list[bytes], Integers, int]:
    """Return the terms, how long their lists are, and where those begin."""
    count, length = SIZES.unpack_from(block)
    body = 8 + 2 * count + length
    lengths = np.frombuffer(block, "<u2", count, 8).astype(np.int64) + 1
    return block[8 + 2 * count : body].split(BETWEEN), lengths, body
