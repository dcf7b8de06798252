"""Services as a node has them that searches by FAISS and asks an engine, here a made-up one."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest

from app.bootstrap import open_services
from app.retrieval.live_spaces import OpenSpace, OpenSpaces
from app.retrieval.search import Retriever
from app.retrieval.stores.faiss_store import FaissStore
from app.services import Services
from app.settings import Settings
from app.storage.spaces import Space
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[FakeEngine]:
    fake = FakeEngine()
    async with fake_engines(fake):
        yield fake


@pytest.fixture(scope="module")
async def services(settings: Settings, engine: FakeEngine) -> AsyncIterator[Services]:
    async with open_services(settings) as opened:
        asked = engine_of(engine.replica())
        yield dataclasses.replace(another_process(opened), engine=asked)
        await asked.close()


def another_process(services: Services) -> Services:
    """With an index in memory of its own, and the files that all have."""

    async def none_else(space: Space) -> OpenSpace:
        raise AssertionError(f"nobody asked for {space.model}")

    current = services.spaces.current
    encoder = current.embedder.encoder
    store = FaissStore(
        services.settings.index_files / str(current.number),
        space=current.number,
        model=encoder.name,
        dimension=encoder.dimension,
        memory_bytes=1 << 30,
        file_from=1,
    )
    spaces = OpenSpaces(services.database, none_else, OpenSpace(current.number, current.embedder, store))
    retriever = Retriever(services.database, spaces, services.analyzer, None, services.settings.dense_weight)
    return dataclasses.replace(services, spaces=spaces, retriever=retriever)
