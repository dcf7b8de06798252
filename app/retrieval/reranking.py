"""Rerank with a cross-encoder: it reads question and chunk together, which ranks better than comparing vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import httpx

from app.embedding.device import choose_device
from app.errors import MissingExtra, NotConfigured, RerankerUnavailable
from app.settings import Settings
from app.turns import NO_TENANT, Slots

TIMEOUT_S = 60


class Reranker(Protocol):
    async def scores(self, question: str, texts: Sequence[str], tenant: int = NO_TENANT) -> list[float]:
        """Return one score for each text, higher is better, when it is the tenant's turn.

        Raises RerankerUnavailable.
        """
        ...

    async def close(self) -> None: ...


class CrossEncoderReranker:
    """Runs any sentence-transformers CrossEncoder: a hub id or a folder. Text beyond the model's length is cut."""

    def __init__(self, name: str, settings: Settings) -> None:
        try:
            import torch
            from sentence_transformers import CrossEncoder
        except ModuleNotFoundError:
            raise MissingExtra(f"KYUJANG_RERANKER={name} without KYUJANG_RERANKER_URL", "models") from None
        torch.set_num_threads(settings.embed_threads)
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
        # One batch at a time: torch's threads are set for one.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rerank")
        self._turns = Slots(total=1, per_tenant=1)

    async def scores(self, question: str, texts: Sequence[str], tenant: int = NO_TENANT) -> list[float]:
        async with self._turns.slot(tenant):
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._scores, question, texts)

    def _scores(self, question: str, texts: Sequence[str]) -> list[float]:
        pairs = [(question, text) for text in texts]
        found = self._model.predict(pairs, batch_size=self._pairs_at_once, show_progress_bar=False)
        return [float(score) for score in found]

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


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
    if settings.reranker:
        return CrossEncoderReranker(settings.reranker, settings)
    return None
