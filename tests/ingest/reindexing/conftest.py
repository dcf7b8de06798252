"""Another embedding model beside the one that is searched."""

from __future__ import annotations

import asyncio

import pytest

from app.embedding import open_encoder, with_stored
from app.embedding.packaged.folder import packaged_folder
from app.storage.spaces import spaces
from ingest.reindexing import reindex
from tests.ingest.reindexing.changing import switch


@pytest.fixture(autouse=True)
def followed(monkeypatch):
    """No other process searches here."""
    monkeypatch.setattr(reindex, "STILL_SEARCHED_S", 0)


@pytest.fixture(scope="module")
def wanted(settings):
    """The same model on another engine, under another name: what it finds can be compared."""
    model = {"embedder": str(packaged_folder(settings.models)), "embedder_url": None, "embedder_max_tokens": 512}
    return with_stored(settings, {**model, "query_prefix": "query: ", "passage_prefix": "passage: "})


@pytest.fixture(scope="module")
def new(wanted):
    return open_encoder(wanted)


@pytest.fixture(scope="module")
def old(services):
    return services.spaces.current.embedder.encoder


@pytest.fixture
async def back(services, settings, old):
    """Afterwards the first model is searched again, and nothing is left of the other."""
    yield
    for space in await spaces(services.database):
        if space.number == 1 and space.state != "active":
            await switch(settings, old)
    for space in await spaces(services.database):
        if space.number != 1:
            await asyncio.to_thread(reindex.drop, settings, space.model)
    for _ in range(3):
        await services.spaces.refresh(include_building=True)
