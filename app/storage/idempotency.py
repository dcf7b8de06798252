"""Requests that may come twice: the second with the same key makes nothing new.

Idempotency-Key as in the IETF draft draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInput
from app.storage.database import Connection, fetch_one
from app.storage.tenancy import TenantNumber

KEPT = "24 hours"


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What the caller calls the request, and what it asks for."""

    key: str
    payload: bytes


def payload_hash(route: str, parts: Sequence[Any]) -> bytes:
    """`parts` are JSON values."""
    return hashlib.sha256(json.dumps([route, parts], sort_keys=True).encode()).digest()


async def first_job(connection: Connection, tenant: TenantNumber, request: Idempotency, job_id: str) -> str:
    """`job_id`, or the job that this key has made already. Two at once: the second waits for the first's end.

    Raises InvalidInput if the key came with another payload.
    """
    key = {"tenant": tenant, "key": request.key, "payload": request.payload, "job": job_id, "kept": KEPT}
    await connection.execute(
        "delete from idempotency_keys where tenant_id = %(tenant)s and created_at < now() - %(kept)s::interval", key
    )
    await connection.execute(
        """
        insert into idempotency_keys (tenant_id, key, payload, job_id)
        values (%(tenant)s, %(key)s, %(payload)s, %(job)s) on conflict do nothing
        """,
        key,
    )
    found = await fetch_one(
        connection, "select payload, job_id from idempotency_keys where tenant_id = %(tenant)s and key = %(key)s", key
    )
    assert found is not None
    if found["payload"] != request.payload:
        raise InvalidInput(
            "This Idempotency-Key came with another request before. Choose a new key for a new request.",
            pointer="/Idempotency-Key",
        )
    return str(found["job_id"])
