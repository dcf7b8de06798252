"""The child that takes apart what holds other files. Started by ingest/members.py.

A message names a file that is read, and its bytes follow; the last message holds the notices of what is left out.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

from app.errors import DocumentError
from app.sandbox.channel import Channel
from ingest.loading.formats import OLE_MARK, detect_in
from ingest.loading.notices import as_row, bounded
from ingest.loading.parsed import DEFAULTS, Member, Notice, Room
from ingest.loading.parsers import DAMAGE, MEMBERS
from ingest.loading.refusals import CORRUPT

LOOKED_AT_BYTES = 1 << 20
BROKEN = "It is damaged inside the file that holds it. Pack that again."
TOO_MANY = "It holds more than {:,} files, together with what they hold themselves (KYUJANG_MAX_MEMBERS). Split it."
TOO_LARGE = "What it holds unpacks to more than {:,} MB in all (KYUJANG_MAX_UNPACKED_MB). Split it."


def main(channel: Channel, media_type: str, room: str) -> None:
    skipped: list[Notice] = []
    try:
        for member, content in _readable(channel.paths["document"], media_type, Room(**json.loads(room)), skipped):
            channel.send({"path": member.path, "media_type": member.media_type, "size": len(content)}, [content])
    except DocumentError as error:
        channel.send({"error": {"code": error.document_code, "detail": error.detail}})
    else:
        channel.send({"skipped": [as_row(notice) for notice in bounded(skipped)]})


def _readable(path: Path, media_type: str, room: Room, skipped: list[Notice]) -> Iterator[tuple[Member, bytes]]:
    """Yield the files that a reader may read; add the others to `skipped`. Raises DocumentError."""
    count = total = 0
    try:
        for each in MEMBERS[media_type](path, DEFAULTS):
            if isinstance(each, Notice):
                skipped.append(each)
                continue
            count, total = count + 1, total + each.size
            if count > room.members:
                raise DocumentError("too_large", TOO_MANY.format(room.most_members))
            if total > room.total:
                raise DocumentError("too_large", TOO_LARGE.format(room.most_mb))
            content = _content(each, room.each)
            if isinstance(content, Notice):
                skipped.append(content)
            else:
                yield each, content
    except DAMAGE:
        raise CORRUPT from None


def _content(member: Member, most: int) -> bytes | Notice:
    if member.size > most:
        return Notice(
            "attachment_skipped", f"It is larger than {most >> 20} MB (KYUJANG_MAX_UPLOAD_MB).", part=member.path
        )
    try:
        content = member.read()
        # Of text the beginning is enough; a zip or an OLE file has its list of contents elsewhere.
        looked_at = content if content.startswith((b"PK", OLE_MARK)) else content[:LOOKED_AT_BYTES]
        detect_in(io.BytesIO(looked_at), member.path, member.media_type or "")
    except DocumentError as error:
        if error.document_code in ("unsupported_type", "empty"):
            return Notice("attachment_skipped", error.detail, part=member.path)
    except DAMAGE:
        return Notice("attachment_skipped", BROKEN, part=member.path)
    return content
