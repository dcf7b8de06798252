"""Rerank with a cross-encoder: it reads question and chunk together, which ranks better than comparing vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import httpx

from app.embedding.device import ON_CPU, choose_device
from app.embedding.one_at_a_time import OneAtATime
from app.embedding.text_pairs import PairModel, onnx_file
from app.errors import MissingExtra, NotConfigured, RerankerUnavailable
from app.settings import Settings
from app.turns import NO_TENANT

TIMEOUT_S = 60


class Reranker(Protocol):
    async def scores(self, question: str, texts: Sequence[str], tenant: int = NO_TENANT) -> list[float]:
        """Return one score for each text, higher is better, when it is the tenant's turn.

        Raises RerankerUnavailable.
        """
        ...

    async def close(self) -> None: ...


class LocalReranker:
    def __init__(self) -> None:
        self._alone = OneAtATime("rerank")

    async def scores(self, question: str, texts: Sequence[str], tenant: int = NO_TENANT) -> list[float]:
        return await self._alone.run(tenant, partial(self._scores, question, texts))

    def _scores(self, question: str, texts: Sequence[str]) -> list[float]:
        raise NotImplementedError

    async def close(self) -> None:
        self._alone.close()


class OnnxReranker(LocalReranker):
    """Runs a cross-encoder in ONNX Runtime: a folder with `model.onnx`, int8 or not, and `tokenizer.json`."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__()
        self._model = PairModel(folder, "KYUJANG_RERANKER", threads=settings.embed_threads or 1)
        self._pairs_at_once = settings.embed_batch or ON_CPU
        (reading,) = self._model.read([("?", ".")], 1)
        if reading.logits.shape != (1,):
            raise NotConfigured(
                f"KYUJANG_RERANKER={str(folder)!r} gives {reading.logits.shape} numbers, not one score."
            )

    def _scores(self, question: str, texts: Sequence[str]) -> list[float]:
        readings = self._model.read([(question, text) for text in texts], self._pairs_at_once)
        scores = [float(reading.logits[0]) for reading in readings]
        if not all(map(math.isfinite, scores)):
            raise RerankerUnavailable("The reranker gave no number for a text.")
        return scores


class CrossEncoderReranker(LocalReranker):
    """Runs any sentence-transformers CrossEncoder: a hub id or a folder. Text beyond the model's length is cut."""

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__()
        try:
            import torch
            from sentence_transformers import CrossEncoder
        except ModuleNotFoundError:
            raise MissingExtra(f"KYUJANG_RERANKER={name} without KYUJANG_RERANKER_URL", "models") from None
        torch.set_num_threads(settings.embed_threads or 1)
        device = choose_device(settings)
        self._pairs_at_once = device.batch
        try:
            self._model: Any = CrossEncoder(name, device=device.name, model_kwargs={"dtype": device.dtype})
        except (OSError, ValueError) as error:
            raise NotConfigured(
                f"KYUJANG_RERANKER={name!r} is neither a cross-encoder's folder nor a model that could be fetched "
                f"({type(error).__name__}). Without a network name a folder, or leave it unset."
            ) from error
        if self._model.num_labels != 1:
            raise NotConfigured(f"KYUJANG_RERANKER={name!r} gives {self._model.num_labels} numbers, not one score.")

    def _scores(self, question: str, texts: Sequence[str]) -> list[float]:
        pairs = [(question, text) for text in texts]
        found = self._model.predict(pairs, batch_size=self._pairs_at_once, show_progress_bar=False)
        return [float(score) for score in found]


class EndpointReranker:
    """Calls vLLM's `/rerank` route, and others of its shape (Jina's, Cohere's)."""

    def __init__(self, url: str, *, key: str | None, model: str | None) -> None:
        self._url = f"{url.rstrip('/')}/rerank"
        self._model = {"model": model} if model else {}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(TIMEOUT_S, connect=5), trust_env=False)

    async def scores(self, question: str, texts: Sequence[str], tenant: int = NO_TENANT) -> list[float]:
        # -1: the engine cuts at the model's own length, instead of refusing the whole list.
        body = {**self._model, "query": question, "documents": list(texts), "truncate_prompt_tokens": -1}
        try:
            response = await self._http.post(self._url, json=body)
            response.raise_for_status()
            by_index = {int(item["index"]): float(item["relevance_score"]) for item in response.json()["results"]}
            return [by_index[number] for number in range(len(texts))]
        except httpx.HTTPStatusError as error:
            raise RerankerUnavailable(f"The reranker answered {error.response.status_code}.") from error
        except httpx.HTTPError as error:
            raise RerankerUnavailable("The reranker cannot be reached or did not answer in time.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RerankerUnavailable("The reranker did not send a score for each text.") from error

    async def close(self) -> None:
        await self._http.aclose()


def open_reranker(settings: Settings) -> Reranker | None:
    """Open the reranker that the settings name, if any. Blocks. Raises NotConfigured."""
    if settings.reranker_url:
        key = settings.reranker_key.get_secret_value() if settings.reranker_key else None
        return EndpointReranker(settings.reranker_url, key=key, model=settings.reranker)
    folder = Path(settings.reranker or "")
    # Beside weights for torch, which may compute on a GPU, an ONNX file is no choice of the operator's.
    if settings.reranker and onnx_file(folder) and not (folder / "model.safetensors").exists():
        return OnnxReranker(folder, settings)
    if settings.reranker:
        return CrossEncoderReranker(settings.reranker, settings)
    return None
