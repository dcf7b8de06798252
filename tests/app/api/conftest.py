"""A shelf, and the application with a scripted engine."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from app.main import create_app
from tests.app.api.generating import TEXT
from tests.conftest import ingest_text
from tests.scripted import Script, scripted


@pytest.fixture
async def shelf(tenant, worker):
    await ingest_text(tenant, TEXT, id="hours")
    return tenant


@pytest.fixture
async def start(services, shelf):
    """The application with a scripted engine, and other settings."""
    opened = []

    async def begin(*replies: str | int, model: str = "scripted-7b", tokens: int = 4096, checker=None, **settings):
        script = Script(replies=replies, model=model, context_tokens=tokens)
        context = scripted(script)
        engine = await context.__aenter__()
        opened.append(context)
        own = services.settings.model_copy(update=settings)
        both = dataclasses.replace(services, settings=own, engine=engine, checker=checker)
        app = create_app(own, both)
        app.state.services = both
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=shelf.headers), script

    yield begin
    for context in opened:
        await context.__aexit__(None, None, None)
