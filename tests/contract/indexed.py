"""What the inverted index holds, read off its tables: rows, and segments unpacked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import psycopg

from app.storage.posting_blocks import unpack


@dataclass
class Indexed:
    """`terms` of each chunk with their impacts, in `rows` or in `segments`, whether the chunk is gone or not."""

    rows: dict[int, dict[str, int]] = field(default_factory=dict)
    segments: list[dict[int, dict[str, int]]] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)
    lexicon: dict[str, int] = field(default_factory=dict)

    @property
    def stored(self) -> dict[int, dict[str, int]]:
        together = dict(self.rows)
        for segment in self.segments:
            assert not together.keys() & segment.keys(), "a chunk is indexed twice"
            together |= segment
        return together

    @property
    def alive(self) -> dict[int, dict[str, int]]:
        return {chunk: terms for chunk, terms in self.stored.items() if chunk not in self.deleted}

    def assert_sound(self, chunks: set[int]) -> None:
        """Each of these chunks is found, no other is, and the lexicon counts what is in segments."""
        assert set(self.alive) == chunks
        counted = Counter(term for segment in self.segments for terms in segment.values() for term in terms)
        assert self.lexicon == dict(counted)


def indexed(owner_url: str, tenant: int) -> Indexed:
    found = Indexed()
    with psycopg.connect(owner_url) as connection:

        def rows(query: str, *more: int) -> list[tuple]:
            return connection.execute(query, [tenant, *more]).fetchall()

        for chunk, term, impact in rows("select chunk_id, term, impact from postings where tenant_id = %s"):
            found.rows.setdefault(chunk, {})[term] = impact
        for number, ids in rows("select id, ids from posting_segments where tenant_id = %s"):
            query = "select postings from posting_blocks where tenant_id = %s and segment = %s order by first_term"
            blocks = [block for (block,) in rows(query, number)]
            found.segments.append(_of_segment(np.frombuffer(ids, ">i8").tolist(), blocks))
        found.deleted = {row[0] for row in rows("select chunk_id from posting_deletions where tenant_id = %s")}
        found.lexicon = dict(rows("select term, chunks from lexicon where tenant_id = %s"))
    return found


def _of_segment(ids: list[int], blocks: list[bytes]) -> dict[int, dict[str, int]]:
    lists = unpack(blocks, np.arange(len(ids)))
    assert list(lists.terms) == sorted(set(lists.terms))
    terms = [term.decode() for term, count in zip(lists.terms, lists.counts, strict=True) for _ in range(count)]
    chunks: dict[int, dict[str, int]] = {chunk: {} for chunk in ids}
    for term, place, impact in zip(terms, lists.places.tolist(), lists.impacts.tolist(), strict=True):
        chunks[ids[place]][term] = impact
    return chunks
