"""Versions of adapters, as tests make and look at them."""

from __future__ import annotations

import hashlib
import secrets

from app.adapters import activation, registry
from app.storage.blobs import Blob


def blob(content: str) -> Blob:
    return Blob(f"1/{content}", len(content), hashlib.sha256(content.encode()).digest())


async def made(database, tenant, name="tone", content=None, *, status="ready"):
    version, new = await registry.create_version(database, tenant, name, blob(content or secrets.token_hex(8)))
    assert new
    return await registry.set_status(database, tenant, name, version.version, status)


async def in_force(database, tenant):
    async with database.snapshot(tenant) as snapshot:
        found = await activation.resolve(snapshot.connection, tenant, None)
    return found and f"{found.name}@{found.version}"


async def resolve(database, tenant, reference):
    async with database.snapshot(tenant) as snapshot:
        return await activation.resolve(snapshot.connection, tenant, reference)
