"""A service as if it had an engine, and who sends adapters to it."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from app.main import create_app
from app.storage.tenants import authenticate
from tests.app.api.adapters.sending import SCOPES
from tests.conftest import NewTenant


@pytest.fixture(scope="module")
def with_engine(services, base):
    """As if there were an engine, which nothing here gets as far as."""
    own = services.settings.model_copy(update={"engine": "vllm", "max_adapter_mb": 8})
    opened = dataclasses.replace(services, settings=own)
    app = create_app(own, opened)
    app.state.services = opened
    return httpx.ASGITransport(app)


@pytest.fixture
async def make(with_engine, new_tenant: NewTenant):
    """A tenant's client."""

    async def client(*scopes: str) -> httpx.AsyncClient:
        made = await new_tenant(scopes=scopes or SCOPES)
        return httpx.AsyncClient(transport=with_engine, base_url="http://kyujang", headers=made.headers, timeout=120)

    return client


@pytest.fixture
async def client(make):
    return await make()


@pytest.fixture
async def number(services, client):
    key = client.headers["authorization"].removeprefix("Bearer ")
    return (await authenticate(services.database, key)).number
