"""What an engine is asked to complete."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.generation.adapter_cache import Adapter
from app.generation.messages import Message, Sampling
from app.metering import EngineCall


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """With a JSON `schema` the completion is JSON that fits it."""

    messages: Sequence[Message]
    sampling: Sampling
    tenant: int
    schema: dict[str, Any] | None = None
    adapter: Adapter | None = None
    is_own: bool = False
    """Whether the service asks for itself, which no tenant pays for."""
    likely: bool = False
    """Whether the log-probabilities of what the first token may be are asked for."""

    @property
    def pointer(self) -> str:
        """The field of the caller's request that the engine may refuse."""
        return "/response_format" if self.schema is not None else ""

    def call(self, context_tokens: int) -> EngineCall:
        most = self.sampling.get("max_tokens", context_tokens)
        adapter = self.adapter.name if self.adapter else None
        return EngineCall(None if self.is_own else self.tenant, context_tokens, most, adapter)

    def body(self, model: str, salt: bytes) -> dict[str, Any]:
        body = {
            **self.sampling,
            "model": self.adapter.name if self.adapter else model,
            "messages": list(self.messages),
            "stream": True,
            # With each event: what was generated until a caller hung up counts too.
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
            # Without it a tenant could tell from the latency what another tenant has asked.
            "cache_salt": hmac.new(salt, str(self.tenant).encode(), hashlib.sha256).hexdigest(),
        }
        if self.likely:
            body |= {"logprobs": True, "top_logprobs": 20}
        if self.schema is not None:
            answer = {"name": "answer", "schema": self.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        return body
