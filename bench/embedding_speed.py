"""Texts a second of a sentence-transformers model on the GPU and on one core of the CPU, as the worker calls it.

The model has multilingual-e5-small's shape and tokenizer and random weights: nothing is fetched.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.embedding.packaged.folder import packaged_folder
from app.embedding.sentence_transformer import SentenceTransformerEncoder
from app.settings import Settings
from bench.adapters import WORDS

SHAPE = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536}
WORDS_A_TEXT = 200
ON_CPU = 16
GPU_WAYS: Sequence[Mapping[str, Any]] = (
    {"embed_batch": 8, "embed_precision": "float32"},
    *({"embed_batch": batch} for batch in (32, 128, 512)),
)


def embedding_speed(home: Path, *, gpu: bool, texts: int) -> Iterator[str]:
    """Yield a sentence for each way. The first text of each warms up."""
    folder = _model(home)
    cpu = _rate(Settings(embedder=str(folder), embed_device="cpu", embed_threads=1), ON_CPU)
    yield f"one core of the CPU embeds {cpu:.1f} texts of {WORDS_A_TEXT} words a second"
    for way in GPU_WAYS if gpu else ():
        rate = _rate(Settings.model_validate({"embedder": str(folder), "embed_device": "gpu", **way}), texts)
        yield f"the GPU with {way}: {rate:.0f}, {rate / cpu:.0f} times as many"


def _model(home: Path) -> Path:
    import torch
    from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaModel

    folder = home / "embedder"
    if not folder.exists():
        tokenizer = AutoTokenizer.from_pretrained(packaged_folder(home / "models"))
        torch.manual_seed(0)
        config = XLMRobertaConfig(
            vocab_size=len(tokenizer), max_position_embeddings=514, pad_token_id=tokenizer.pad_token_id, **SHAPE
        )
        XLMRobertaModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def _rate(settings: Settings, count: int) -> float:
    encoder = SentenceTransformerEncoder(settings)
    words = random.Random(0)
    texts = [" ".join(words.choices(WORDS, k=WORDS_A_TEXT)) for _ in range(count)]
    at_once = encoder.passages_at_once
    encoder.encode(texts[:at_once], "passage")
    began = time.perf_counter()
    for first in range(0, count, at_once):
        encoder.encode(texts[first : first + at_once], "passage")
    return count / (time.perf_counter() - began)
