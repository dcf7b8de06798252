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
from app.storage.tenancy import TenantNumber, groups
from app.storage.usage import payer

KEPT = "24 hours"


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What the caller calls the request, and what it asks for."""

    key: str
    payload: bytes


def payload_hash(route: str, parts: Sequence[Any]) -> bytes:
    """`parts` are JSON values."""
    return hashlib.sha256(json.dumps([route, parts], sort_keys=True).encode()).digest()


async def made_before(connection: Connection, request: Idempotency | None) -> str | None:
    """Return what this request of the operator's has made already. Two at once: the second waits for the first's end.

    Raises InvalidInput if the key came with another payload.
    """
    if request is None:
        return None
    key = {"key": request.key, "kept": KEPT}
    await connection.execute("select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", key)
    await connection.execute("delete from operator_requests where created_at < now() - %(kept)s::interval", key)
    found = await fetch_one(connection, "select payload, made from operator_requests where key = %(key)s", key)
    if found is None:
        return None
    _refuse_other_payload(found["payload"], request)
    return str(found["made"])


async def remember_made(connection: Connection, request: Idempotency | None, tenant: TenantNumber, made: str) -> None:
    """Note it in the transaction that makes it."""
    if request is not None:
        await connection.execute(
            "insert into operator_requests (key, payload, tenant_id, made) values (%s, %s, %s, %s)",
            [request.key, request.payload, tenant, made],
        )


async def first_job(connection: Connection, tenant: TenantNumber, request: Idempotency, job_id: str) -> str:
    """`job_id`, or the job that this key has made already. Two at once: the second waits for the first's end.

    Raises InvalidInput if the key came with another payload.
    """
    # Each API key has its own: a space stands in no key that is sent. Those of before 0.2 were the tenant's.
    own = f"{payer.get()} {request.key}" if payer.get() else request.key
    if named := groups.get():
        # So has each set of groups that it acts for.
        own = f"{hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]} {own}"
    key = {"tenant": tenant, "key": own, "payload": request.payload, "job": job_id, "kept": KEPT}
    key["before"] = request.key
    await connection.execute(
        "delete from idempotency_keys where tenant_id = %(tenant)s and created_at < now() - %(kept)s::interval", key
    )
    await connection.execute(
        """
        insert into idempotency_keys (tenant_id, key, payload, job_id)
        select %(tenant)s, %(key)s, %(payload)s, %(job)s where not exists (
            select from idempotency_keys where tenant_id = %(tenant)s and key = %(before)s)
        on conflict do nothing
        """,
        key,
    )
    found = await fetch_one(
        connection,
        """
        select payload, job_id from idempotency_keys
        where tenant_id = %(tenant)s and key = any(array[%(key)s, %(before)s])
        """,
        key,
    )
    assert found is not None
    _refuse_other_payload(found["payload"], request)
    return str(found["job_id"])


def _refuse_other_payload(payload: bytes, request: Idempotency) -> None:
    if payload != request.payload:
        raise InvalidInput(
            "This Idempotency-Key came with another request before. Choose a new key for a new request.",
            pointer="/Idempotency-Key",
        )
