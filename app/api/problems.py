"""Errors as RFC 9457 problem bodies, wherever they were raised; below /v1 in OpenAI's format."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.errors import InvalidInput, InvalidJson, KyujangError

log = logging.getLogger("kyujang.api")

CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
}
OPENAI = "/v1/"
# A body may hold as many faults as it has bytes.
MAX_ERRORS = 100


class HungUp(Exception):
    """The caller has hung up: an answer would not be read."""


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
) -> Response:
    if request.scope["path"].startswith(OPENAI):
        return _openai(status, code, detail, errors or [], headers)
    body: dict[str, Any] = {
        "type": f"urn:kyujang:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": getattr(request.state, "request_id", ""),
        **(more or {}),
    }
    if errors is not None:
        body["errors"] = errors
    # Escaped, because what a caller sent and we name may hold a lone surrogate.
    content = json.dumps(body, ensure_ascii=True)
    return Response(content, status, headers, media_type="application/problem+json")


def _openai(
    status: int, code: str, detail: str, errors: list[dict[str, str]], headers: dict[str, str] | None
) -> Response:
    """What OpenAI answers, so that its clients raise the exception they have for it."""
    params = [_param(each["pointer"]) for each in errors]
    named = [f"{param}: {each['detail']}" for param, each in zip(params, errors, strict=True) if param]
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    body = {
        "message": "; ".join(named[:5]) or detail,
        "type": kind,
        "param": next(iter(params), None),
        "code": "invalid_api_key" if status == 401 else code,
    }
    content = json.dumps({"error": body}, ensure_ascii=True)
    return Response(content, 400 if status == 422 else status, headers, media_type="application/json")


def _param(pointer: str) -> str | None:
    """`/messages/0/content` as OpenAI names it: `messages[0].content`."""
    parts = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    name = "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in parts)
    return name.removeprefix(".") or None


def install(app: FastAPI) -> None:
    app.add_exception_handler(KyujangError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(HungUp, _hung_up)
    app.add_exception_handler(Exception, _failed)


def failure(request: Request, error: Exception) -> Response:
    """What a caller sees of an error, which is logged where it is the service's own."""
    if not isinstance(error, KyujangError):
        log.error("unexpected error", exc_info=error)
        return problem(request, 500, "internal", KyujangError().detail)
    if error.status >= 500:
        log.warning("%s: %s", error.code, error.detail, extra={"cause": repr(error.__cause__)})
    errors = error.errors if isinstance(error, InvalidInput) else None
    limit = getattr(error, "limit", None)
    if limit:
        limit_reached(request, limit)
    more = {"limit": limit} if limit else None
    return problem(request, error.status, error.code, error.detail, errors=errors, headers=error.headers, more=more)


def limit_reached(request: Request, limit: Mapping[str, Any]) -> None:
    """Count a request that a limit of its tenant or key refuses."""
    request.app.state.services.metrics.limits_reached.labels(limit["name"], limit.get("of", "tenant")).inc()


async def _failed(request: Request, error: Exception) -> Response:
    if (limit := getattr(error, "limit", None)) and (tenant := getattr(request.state, "caller", None)):
        services = request.app.state.services
        if services.settings.webhook_hosts:
            await request.app.state.limit_events.note(services, tenant, limit)
    return failure(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return failure(request, InvalidJson())
    errors = [{"pointer": pointer(each["loc"]), "detail": each["msg"]} for each in found[:MAX_ERRORS]]
    detail = "; ".join(f"{each['pointer']}: {each['detail']}" for each in errors[:5])
    return problem(request, 422, "invalid_input", detail, errors=errors)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # What is not UTF-8, too deep, or a number too long for Python: FastAPI calls it bad, and does not say of what kind.
    if error.status_code == 400 and isinstance(error.__cause__, ValueError | RecursionError):
        return failure(request, InvalidJson())
    code = CODES.get(error.status_code, "http_error")
    detail = str(error.detail)
    if error.status_code == 404:
        detail = "There is nothing with this id or path."
    return problem(request, error.status_code, code, detail, headers=dict(error.headers or {}))


async def _hung_up(request: Request, error: Exception) -> Response:
    """For the log alone, where 499 is what nginx calls it."""
    return Response(status_code=499)


def pointer(location: tuple[Any, ...]) -> str:
    """A JSON pointer (RFC 6901) to the field, without the part of the request it is in."""
    parts = [
        str(part).replace("~", "~0").replace("/", "~1") for part in location if part not in ("body", "query", "path")
    ]
    return "/" + "/".join(parts)
