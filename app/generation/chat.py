"""What an engine is asked to complete."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.generation.adapter_cache import Adapter
from app.generation.messages import Message, Sampling


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """With a JSON `schema` the completion is JSON that fits it."""

    messages: Sequence[Message]
    sampling: Sampling
    tenant: int
    schema: dict[str, Any] | None = None
    adapter: Adapter | None = None
    likely: bool = False
    """Whether the log-probabilities of what the first token may be are asked for."""

    @property
    def pointer(self) -> str:
        """The field of the caller's request that the engine may refuse."""
        return "/response_format" if self.schema is not None else ""

    def body(self, model: str, salt: bytes) -> dict[str, Any]:
        body = {
            **self.sampling,
            "model": self.adapter.name if self.adapter else model,
            "messages": list(self.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            # Without it a tenant could tell from the latency what another tenant has asked.
            "cache_salt": hmac.new(salt, str(self.tenant).encode(), hashlib.sha256).hexdigest(),
        }
        if self.likely:
            body |= {"logprobs": True, "top_logprobs": 20}
        if self.schema is not None:
            answer = {"name": "answer", "schema": self.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        return body
