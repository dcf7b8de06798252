"""The port of embedding: what every source of vectors can do."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.language.marks import cut_runs

Kind = Literal["query", "passage"]
Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Blocks, and is safe to call from two threads. Vectors are L2-normalised, of shape [texts, dimension]."""

    name: str
    """Stored with the vectors; vectors of different names are never compared."""
    dimension: int
    max_tokens: int
    passages_at_once: int
    """More in one call would keep a query waiting for nothing: they would not be embedded faster."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count, at least, what the model would see of each passage with prefix and special tokens."""
        ...

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """Embed texts. A query longer than `max_tokens` is cut; passages must not be longer."""
        ...


def normalise(text: str) -> str:
    """Normalise to NFC (decomposed Hangul gets another vector, cosine 0.77) and replace empty text, which has none."""
    return unicodedata.normalize("NFC", cut_runs(text)).replace("\x00", " ") or " "


def identity(name: str, passage_prefix: str) -> str:
    """Name a model with its passage prefix; that of queries may change without making stored vectors useless."""
    return f"{name} (passage prefix {passage_prefix!r})" if passage_prefix else name
