"""Where torch computes. A GPU is pretended by torch's own answers; what it is given shows in a model that notes it."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from app.embedding import open_encoder
from app.embedding.device import choose_device
from app.errors import EmbedderUnavailable, NotConfigured
from app.retrieval.reranking import CrossEncoderReranker
from app.settings import Settings


@pytest.fixture
def torch():
    """Imported here: collecting the tests need not wait seconds for it."""
    return importlib.import_module("torch")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, torch):
    def has(*, bfloat16: bool) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or bfloat16
        )

    return has


class Noted:
    """A model of either kind that notes how it is opened and called."""

    num_labels = 1
    max_seq_length = 512

    def __init__(self, name: str, **options: object) -> None:
        self.options, self.batches, self.full = options, [], False

    def get_embedding_dimension(self) -> int:
        return 2

    def encode(self, texts: list[str], *, batch_size: int, show_progress_bar: bool) -> np.ndarray:
        if self.full:
            raise importlib.import_module("torch").OutOfMemoryError
        self.batches.append(batch_size)
        return np.array([[3.0, 4.0]] * len(texts), np.float32)

    def predict(self, pairs: list, *, batch_size: int, show_progress_bar: bool) -> list[float]:
        self.batches.append(batch_size)
        return [0.5] * len(pairs)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch):
    for name in ("SentenceTransformer", "CrossEncoder"):
        monkeypatch.setattr(f"sentence_transformers.{name}", Noted)


def test_without_a_gpu_it_is_the_cpu_in_float32_and_few_at_a_time(torch):
    chosen = choose_device(Settings())
    assert (chosen.name, chosen.dtype, chosen.batch) == ("cpu", torch.float32, 8)
    with pytest.raises(NotConfigured, match="KYUJANG_EMBED_DEVICE=gpu"):
        choose_device(Settings(embed_device="gpu"))


def test_a_gpu_computes_many_at_a_time_in_bfloat16_if_it_can(gpu, torch):
    gpu(bfloat16=True)
    chosen = choose_device(Settings())
    assert (chosen.name, chosen.dtype, chosen.batch) == ("cuda", torch.bfloat16, 128)
    assert choose_device(Settings(embed_precision="float32")).dtype == torch.float32
    assert choose_device(Settings(embed_device="cpu")).name == "cpu"
    assert choose_device(Settings(embed_batch=512)).batch == 512
    gpu(bfloat16=False)
    assert choose_device(Settings()).dtype == torch.float32


async def test_embedder_and_reranker_are_opened_and_called_so(gpu, noted, torch):
    gpu(bfloat16=True)
    encoder = open_encoder(Settings(embedder="BAAI/bge-m3"))
    assert encoder.passages_at_once == 128
    assert np.allclose(encoder.encode(["a", "b"], "passage"), [[0.6, 0.8]] * 2)
    reranker = CrossEncoderReranker("BAAI/bge-reranker-v2-m3", Settings(embed_batch=64))
    assert await reranker.scores("q", ["a"]) == [0.5]
    await reranker.close()
    for model, batch in ((encoder._model, 128), (reranker._model, 64)):
        assert model.options == {"device": "cuda", "model_kwargs": {"dtype": torch.bfloat16}}
        assert model.batches == [batch]


def test_a_full_card_says_what_to_set(gpu, noted):
    gpu(bfloat16=True)
    encoder = open_encoder(Settings(embedder="BAAI/bge-m3"))
    encoder._model.full = True
    with pytest.raises(EmbedderUnavailable, match="KYUJANG_EMBED_BATCH"):
        encoder.encode(["a"], "passage")


def test_bfloat16_gives_the_same_vectors_of_length_one(monkeypatch: pytest.MonkeyPatch, torch):
    """MiniLM in both, on the CPU."""
    texts = ["The hall was built in 1776.", "A lantern hung over the gate.", "x"]
    exact = open_encoder(Settings(embedder="minilm"))
    monkeypatch.setattr(
        "app.embedding.sentence_transformer.choose_device",
        lambda settings: type(choose_device(settings))("cpu", torch.bfloat16, 2),
    )
    half = open_encoder(Settings(embedder="minilm"))
    assert next(half._model.parameters()).dtype == torch.bfloat16
    vectors = half.encode(texts, "passage")
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert ((vectors * exact.encode(texts, "passage")).sum(1) > 0.999).all()
