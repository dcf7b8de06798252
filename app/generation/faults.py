"""Each way an engine can fail, as an error that says which."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from app.errors import EngineNotBegun, EngineUnavailable, EngineUnreachable, InvalidInput, NotInEngine
from app.generation.timeouts import Timeouts

NO_ANSWER = "The engine returned something other than an answer."
BROKE_OFF = "The engine stopped in the middle of its answer."


@contextmanager
def transport_faults(timeouts: Timeouts) -> Iterator[None]:
    """Raise EngineNotBegun for what goes wrong on the way to the engine and back."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise EngineNotBegun(timeouts.connect_reason) from error
    except httpx.ConnectError as error:
        raise EngineUnreachable("The engine cannot be reached; it may be starting or down.") from error
    except httpx.HTTPError as error:
        raise EngineNotBegun(BROKE_OFF) from error
    except ValueError as error:
        raise EngineNotBegun(NO_ANSWER) from error


@contextmanager
def well_formed() -> Iterator[None]:
    """Raise EngineUnavailable if the block does not find in the engine's JSON what an answer holds."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EngineUnavailable(NO_ANSWER) from error


def raise_for_event(event: Any, payload: bytes, pointer: str) -> None:
    """vLLM sends what goes wrong while it generates as an event, and then [DONE]."""
    if isinstance(event, dict) and "error" in event:
        error = event["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise_for_status(code if isinstance(code, int) and code >= 400 else 500, payload, pointer)


def raise_for_status(status: int, content: bytes, pointer: str = "") -> None:
    """Raises InvalidInput for what the engine refuses, else EngineNotBegun. `pointer` is to what may be refused."""
    if status in (400, 413, 422):
        raise InvalidInput(f"The engine refused this request: {_message(content)}", pointer=pointer)
    if status == 404:
        raise NotInEngine(f"The engine answered 404: {_message(content)}")
    if status >= 300:
        raise EngineNotBegun(f"The engine answered {status}: {_message(content)}")


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "no reason given"
