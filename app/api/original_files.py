"""Send an uploaded file back as it came, without letting a browser run it."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders

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


async def original_file(request: Request, blobs: Blobs, original: Original) -> FileResponse:
    """Return the file, or the range of it that the request asks for. Raises NotFound, RangeNotSatisfiable."""
    path = blobs.locate(original.blob)
    try:
        there = await asyncio.to_thread(path.stat)
    except FileNotFoundError:
        # Replaced or deleted a moment ago.
        raise NotFound from None
    _check_range(request, there.st_size)
    headers = {
        **SAFE,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(_file_name(original.filename), safe='')}",
        "ETag": f'"{original.sha256}"',
    }
    return FileResponse(path, media_type=original.media_type, headers=headers, stat_result=there)


def _file_name(source: str) -> str:
    """Return the last part of a path."""
    return re.split(r"[/\\]", source.rstrip("/\\"))[-1] or "document"


def _check_range(request: Request, size: int) -> None:
    header = request.headers.get("range")
    if header is None:
        return
    found = ONE_RANGE.fullmatch(header.strip())
    if found is None or (found["last"] and int(found["last"]) < int(found["first"])):
        del MutableHeaders(scope=request.scope)["range"]
    elif int(found["first"] or 0) >= size or (found["suffix"] and int(found["suffix"]) == 0):
        raise RangeNotSatisfiable(size)
