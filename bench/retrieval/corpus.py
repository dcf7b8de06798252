"""Made-up corpora that look to an index as multilingual-e5-small's vectors of real documents do.

Gaussian, with the variance of component i falling as 1/i, around a common mean that takes 0.8 of each vector's squared
length: two chunks at random have a cosine of 0.81 ± 0.05, of one topic about 0.88, of one document 0.95; a query's
nearest is at 0.95, its tenth at 0.90. Topics are shared by
all tenants, so a tenant's neighbours are surrounded by other tenants' chunks. Words follow Zipf's law, half of them
Korean. The same seed gives the same corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DIMENSION = 384
CHUNKS_PER_DOCUMENT = 10
DOCUMENTS_PER_TOPIC = 25
# What the common mean, a topic, a document and a chunk bring to a vector's squared length.
MEAN, TOPIC, DOCUMENT, CHUNK = 0.80, 0.08, 0.07, 0.05
QUERY_NOISE = 0.10
VOCABULARY = 60_000
SHARES = 10_000
BATCH = 20_000

Layout = Literal["single", "many"]
Vectors = NDArray[np.float16]


RAW_OWN_INDEX_UP_TO = 200_000


@dataclass(frozen=True)
class Plan:
    """One big tenant that has all chunks, or many tenants of unequal sizes."""

    layout: Layout
    chunks: int
    tenants: int

    @property
    def name(self) -> str:
        return f"{self.layout}_{self.chunks}"

    @property
    def raw_shares_the_index(self) -> bool:
        """A second graph of a million vectors takes another half hour: raw pgvector then searches ours."""
        return self.layout == "single" and self.chunks > RAW_OWN_INDEX_UP_TO

    def sizes(self) -> list[int]:
        """Log-normal: from tens to twenty thousand chunks, where there are two thousand for a tenant on average."""
        if self.layout == "single":
            return [self.chunks]
        weights = np.random.default_rng(self.chunks).lognormal(sigma=1.2, size=self.tenants)
        sizes = 10 + (weights / weights.sum() * (self.chunks - 10 * self.tenants)).astype(int)
        sizes[np.argmax(sizes)] += self.chunks - sizes.sum()
        return [int(size) for size in sizes]


@dataclass(frozen=True)
class Corpus:
    """Chunks in the order of their tenants. `share` is a metadata value: evenly spread over 0 … 9,999 by document."""

    vectors: Vectors
    chunks: NDArray[np.int64]
    share: NDArray[np.int32]
    sizes: list[int]

    def rows(self) -> Iterator[slice]:
        """Of each tenant."""
        stop = 0
        for size in self.sizes:
            start, stop = stop, stop + size
            yield slice(start, stop)


def documents_of(size: int) -> int:
    return -(-size // CHUNKS_PER_DOCUMENT)


def make(plan: Plan) -> Corpus:
    rng = np.random.default_rng([7, plan.chunks])
    sizes = plan.sizes()
    of_chunk, documents, shares = [], 0, []
    for size in sizes:
        count = documents_of(size)
        of_chunk.append(documents + np.arange(size) // CHUNKS_PER_DOCUMENT)
        shares.append(rng.permutation(count) * SHARES // count)
        documents += count
    document = np.concatenate(of_chunk)
    return Corpus(
        vectors=_vectors(rng, document, documents),
        chunks=rng.integers(1, 2**63 - 1, plan.chunks, np.int64),
        share=np.concatenate(shares).astype(np.int32)[document],
        sizes=sizes,
    )


def _vectors(rng: np.random.Generator, document: NDArray[np.int64], documents: int) -> Vectors:
    topics = _gaussian(rng, max(10, documents // DOCUMENTS_PER_TOPIC), TOPIC)
    topic = rng.integers(len(topics), size=documents)
    own = _gaussian(rng, documents, DOCUMENT)
    vectors = np.empty((len(document), DIMENSION), np.float16)
    for first in range(0, len(document), BATCH):
        its = document[first : first + BATCH]
        made = _mean() + topics[topic[its]] + own[its] + _gaussian(rng, len(its), CHUNK)
        vectors[first : first + BATCH] = unit(made)
    return vectors


def queries(rng: np.random.Generator, near: Vectors) -> NDArray[np.float32]:
    """Close to these chunks, and in half precision, so that every contender is asked the same."""
    noise = _gaussian(rng, len(near), QUERY_NOISE)
    return unit(near.astype(np.float32) + noise).astype(np.float16).astype(np.float32)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


def _gaussian(rng: np.random.Generator, count: int, variance: float) -> NDArray[np.float32]:
    return rng.standard_normal((count, DIMENSION), np.float32) * (_spectrum() * np.float32(variance**0.5))


@cache
def _spectrum() -> NDArray[np.float32]:
    spectrum = 1 / np.sqrt(np.arange(1, DIMENSION + 1))
    return (spectrum / np.linalg.norm(spectrum)).astype(np.float32)


@cache
def _mean() -> NDArray[np.float32]:
    return unit(np.random.default_rng(3).standard_normal((1, DIMENSION), np.float32)) * np.float32(MEAN**0.5)


@cache
def vocabulary() -> list[str]:
    """Every other word Korean; the most frequent first."""
    rng = np.random.default_rng(11)
    lengths = rng.integers(2, 5, VOCABULARY)
    korean = [_word(rng, length, [chr(0xAC00 + 28 * n) for n in range(399)]) for length in lengths[::2]]
    syllables = [first + second for first in "bcdfghklmnprstvz" for second in "aeiou"]
    english = [_word(rng, length, syllables) for length in lengths[1::2]]
    return [word for pair in zip(korean, english, strict=True) for word in pair]


def _word(rng: np.random.Generator, length: int, syllables: list[str]) -> str:
    return "".join(syllables[n] for n in rng.integers(len(syllables), size=length))


def words(seed: int, count: int, each: int) -> NDArray[np.int64]:
    """Numbers of words, of shape [count, each], by Zipf's and Mandelbrot's law."""
    odds = np.cumsum(1 / (np.arange(VOCABULARY) + 2.7))
    return np.searchsorted(odds / odds[-1], np.random.default_rng([13, seed]).random((count, each)))
