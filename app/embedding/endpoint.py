"""Embed through an OpenAI-compatible embeddings endpoint."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from app.embedding.encoder import Kind, Vectors, identity, normalise
from app.errors import EmbedderUnavailable, InvalidInput, NotConfigured

TIMEOUT_S = 60
PASSAGES_AT_ONCE = 16
SPECIAL_TOKENS = 2
LETTERS_A_TOKEN = 4
NOT_ASCII_TOKENS = 1.5


class EndpointEncoder:
    """Asks for one vector to learn the dimension. Raises NotConfigured or EmbedderUnavailable."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        model: str,
        max_tokens: int,
        query_prefix: str,
        passage_prefix: str,
        passages_at_once: int = PASSAGES_AT_ONCE,
    ) -> None:
        self._url = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._prefix: dict[Kind, str] = {"query": query_prefix, "passage": passage_prefix}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(TIMEOUT_S, connect=5), trust_env=False)
        self.name = identity(model, passage_prefix)
        self.max_tokens = max_tokens
        self.passages_at_once = passages_at_once
        self.dimension = 0
        try:
            self.dimension = self.encode(["dimension"], "passage").shape[1]
        except InvalidInput as error:
            raise NotConfigured(f"KYUJANG_EMBEDDER_URL={url}: {error.detail}") from error

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [count_at_most(self._prefix["passage"] + normalise(text)) for text in texts]

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        prefixed = [self._prefix[kind] + normalise(text) for text in texts]
        if kind == "query":
            prefixed = [self._cut(text) for text in prefixed]
        vectors = self._vectors(prefixed)
        if self.dimension and vectors.shape[1] != self.dimension:
            raise EmbedderUnavailable(
                f"The embeddings endpoint now gives {vectors.shape[1]} dimensions, and at the start it gave "
                f"{self.dimension}. Let it serve the old model again, or restart Kyujang."
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(vectors).all() or not norms.all():
            raise EmbedderUnavailable("The embeddings endpoint returned a zero or non-finite vector.")
        return np.asarray(vectors / norms, np.float32)

    def _vectors(self, texts: list[str]) -> Vectors:
        body = {"model": self._model, "input": texts, "encoding_format": "float"}
        try:
            response = self._http.post(self._url, json=body)
            _raise_for(response)
            items = sorted(response.json()["data"], key=lambda item: item["index"])
            vectors = np.asarray([item["embedding"] for item in items], np.float32)
        except httpx.TimeoutException as error:
            raise EmbedderUnavailable("The embeddings endpoint did not answer in time.") from error
        except httpx.ConnectError as error:
            raise EmbedderUnavailable("The embeddings endpoint cannot be reached; it may be down.") from error
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise EmbedderUnavailable(
                "The embeddings endpoint returned something other than a list of vectors."
            ) from error
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise EmbedderUnavailable("The embeddings endpoint did not send one vector for each text.")
        return vectors

    def _cut(self, text: str) -> str:
        while (tokens := count_at_most(text)) > self.max_tokens:
            text = text[: len(text) * (self.max_tokens - 1) // tokens]
        return text


def count_at_most(text: str) -> int:
    """Estimate tokens from above: the endpoint does not say which tokenizer it has."""
    words = sum(math.ceil(len(word) / LETTERS_A_TOKEN) for word in re.findall(r"[A-Za-z]+", text))
    single = len(re.findall(r"[!-@\[-`{-~\n]", text))
    other = sum(not character.isascii() for character in text)
    return SPECIAL_TOKENS + words + single + math.ceil(other * NOT_ASCII_TOKENS)


def _raise_for(response: httpx.Response) -> None:
    if response.is_success:
        return
    reason = f"The embeddings endpoint answered {response.status_code}: {_message(response)}"
    if response.status_code in (400, 413, 422):
        raise InvalidInput(reason)
    raise EmbedderUnavailable(reason)


def _message(response: httpx.Response) -> str:
    try:
        found: Any = response.json()["error"]
        return str(found["message"] if isinstance(found, dict) else found)[:300]
    except (ValueError, KeyError, TypeError):
        return "no reason given"
