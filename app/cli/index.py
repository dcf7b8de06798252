"""python -m app index."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from app.cli.commands import add_command, add_group
from app.errors import NotConfigured
from app.retrieval.stores.milvus_collection import open_collection
from app.settings import Settings
from app.storage.database import Database
from app.storage.index_positions import forget_collections
from app.terminal import say
from app.up.owner import with_database_url


def add_commands(commands: Any) -> None:
    index = add_group(commands, "index", "the index of vectors in Milvus (KYUJANG_INDEX=milvus)")
    add_command(index, "rebuild", "drop the index and fill it again from the database, in use", _rebuild)


def _rebuild(settings: Settings, _: argparse.Namespace) -> int:
    if settings.index != "milvus":
        raise NotConfigured("Only the index of KYUJANG_INDEX=milvus is rebuilt; the others follow the database.")
    asyncio.run(_drop(with_database_url(settings)))
    say("The index is dropped. The worker fills it again; until then searches take from the database.")
    return 0


async def _drop(settings: Settings) -> None:
    database, collection = Database(settings.service_url, pool_size=2), open_collection(settings, 0)
    await database.open()
    try:
        for name in await forget_collections(database):
            await collection.drop(name)
    finally:
        await collection.close()
        await database.close()
