"""What a trace tells of a request to an engine, by OpenTelemetry's conventions for generative AI; no message."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from app import tracing
from app.generation.completion import Generation
from app.tracing import Span

ASKED = {"max_tokens": int, "temperature": float, "top_p": float}


def chat_span(body: Mapping[str, Any], address: str) -> AbstractContextManager[Span]:
    if not tracing.is_on():
        return tracing.OFF
    model = str(body["model"])
    attributes: dict[str, str | int | float | list[str]] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": model,
        "server.address": address,
    }
    attributes |= {
        f"gen_ai.request.{name}": kind(body[name]) for name, kind in ASKED.items() if body.get(name) is not None
    }
    return tracing.beside(f"chat {model}", attributes, tracing.CLIENT)


def tell_outcome(span: Span, generation: Generation) -> None:
    span.set_attribute("gen_ai.response.finish_reasons", [generation.finish_reason])
    span.set_attribute("gen_ai.usage.input_tokens", generation.prompt_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", generation.completion_tokens)
    span.set_attribute("kyujang.first_token_seconds", generation.first_token_s)
