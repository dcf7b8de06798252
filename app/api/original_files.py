"""Send an uploaded file back as it came, without letting a browser run it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from app.errors import KyujangError, NotFound
from app.storage.blobs import Blobs
from app.storage.documents import Original

# One range; others are passed over, as RFC 9110 section 14.2 lets a server do.
ONE_RANGE = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))")
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


class RangeNotSatisfiable(KyujangError):
    """The file ends before the range that is asked for.

    `Content-Range` has its size.
    """

    status = 416
    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


async def original_file(request: Request, blobs: Blobs, original: Original) -> Response:
    """Return the file, or the range of it that the request asks for. Raises NotFound, RangeNotSatisfiable."""
    etag = f'"{original.sha256}"'
    asked = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    span = _range(asked, original.size)
    start, end = span or (0, original.size)
    headers = {
        **SAFE,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(_file_name(original.filename), safe='')}",
        "Content-Length": str(end - start),
        "ETag": etag,
    }
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{original.size}"
    parts = blobs.read(original.blob, start, end)
    try:
        # Before the status is out: an error can still be told.
        first = [await anext(parts)] if end > start else []
    except FileNotFoundError:
        # Replaced or deleted a moment ago.
        raise NotFound from None
    described: dict[str, Any] = {
        "status_code": 206 if span else 200,
        "headers": headers,
        "media_type": original.media_type,
    }
    return Response(**described) if request.method == "HEAD" else StreamingResponse(_joined(first, parts), **described)


async def _joined(first: list[bytes], parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in first:
        yield part
    async for part in parts:
        yield part


def _file_name(source: str) -> str:
    """Return the last part of a path."""
    return re.split(r"[/\\]", source.rstrip("/\\"))[-1] or "document"


def _range(asked: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte that is asked for and the one behind the last. Raises RangeNotSatisfiable."""
    found = ONE_RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or (found["last"] and int(found["last"]) < int(found["first"])):
        return None
    if found["suffix"]:
        start, end = max(0, size - int(found["suffix"])), size
    else:
        start, end = int(found["first"]), min(int(found["last"] or size) + 1, size)
    if start >= size:
        raise RangeNotSatisfiable(size)
    return start, end
