"""Holds a key that is bound to a part to it when its document is published, whatever has changed since it was sent."""

from __future__ import annotations

from app.errors import DOCUMENT_ERRORS, DocumentError
from app.storage import parts
from app.storage.database import Connection
from ingest.jobs.queue import ClaimedDocument


async def refuse_taken(connection: Connection, work: ClaimedDocument) -> None:
    """Raise DocumentError if the document that would be replaced is none that the sender sees."""
    if work.bound_to is not None and await parts.is_outside(connection, work.tenant, work.document_id, work.bound_to):
        raise DocumentError("id_in_use", DOCUMENT_ERRORS["id_in_use"])


async def judge_written(connection: Connection, work: ClaimedDocument) -> None:
    """Write down which parts the document is in. Raise DocumentError if it is in none of the sender's."""
    await parts.judge(connection, work.tenant, [work.document_id])
    held = "i.job_id = %(job)s and i.parent = %(parent)s"
    await parts.judge_items(connection, work.tenant, held, {"job": work.job_id, "parent": work.document_id})
    if work.bound_to is not None and await parts.is_outside(connection, work.tenant, work.document_id, work.bound_to):
        raise DocumentError("outside_part", DOCUMENT_ERRORS["outside_part"])
