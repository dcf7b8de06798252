"""Large JSON bodies are parsed and checked in a thread: other requests do not wait for them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from app.api.problems import MAX_ERRORS, HungUp
from app.errors import InvalidInput, InvalidJson

LARGE_BODY_BYTES = 16 << 10


async def check_large_body(request: Request, adapter: TypeAdapter[Any]) -> None:
    """Replace a large body by the route's checked one, which FastAPI takes as it is.

    Raises what checked_body() does, and HungUp.
    """
    try:
        sent = await request.body()
    except ClientDisconnect:
        raise HungUp from None
    if len(sent) > LARGE_BODY_BYTES:
        # What `request.json()` returns.
        request._json = await asyncio.to_thread(checked_body, sent, adapter)


def checked_body(sent: bytes, adapter: TypeAdapter[Any]) -> Any:
    """Raises InvalidJson, RequestValidationError, or InvalidInput for more errors than are named."""
    try:
        return adapter.validate_python(json.loads(sent))
    except ValidationError as error:
        raise refusal(error) from None
    except (ValueError, RecursionError):
        raise InvalidJson from None


def refusal(error: ValidationError, *within: str) -> Exception:
    """Return what names the errors, which are below `within` in the body."""
    count = error.error_count()
    if count > MAX_ERRORS:
        # To list a million takes seconds.
        return InvalidInput(f"The body has {count} errors. They are named where there are at most {MAX_ERRORS}.")
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**each, "loc": ("body", *within, *each["loc"])} for each in found])
