"""Adapters as callers send them, and as they are when they have been checked."""

from __future__ import annotations

import io

from app.adapters import registry
from tests.ingest.adapters.made import files, tar_gz, tensors

SCOPES = ("query", "read", "ingest", "adapters")
FEW = range(2)


def good(seed=0) -> bytes:
    return tar_gz(files(tensors(layers=FEW, seed=seed)))


async def send(client, archive=None, name="tone", **options):
    return await client.post(
        "/adapters", data={"name": name}, files={"file": ("a.tar.gz", archive or good())}, **options
    )


async def ready(services, number, name="tone", versions=1):
    """Versions as they are when the engine has taken them."""
    for seed in range(versions):
        blob = await services.blobs.save(number, io.BytesIO(b"%d" % seed))
        made, _ = await registry.create_version(services.database, number, name, blob)
        await registry.set_status(services.database, number, name, made.version, "ready")
