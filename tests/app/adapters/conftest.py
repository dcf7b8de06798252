"""A tenant of its own for each test, on the real database."""

from __future__ import annotations

import secrets

import pytest

from app.storage.tenants import create_tenant, tenant_by_slug


@pytest.fixture
async def tenant(services) -> int:
    record, _ = await create_tenant(services.database, f"t-{secrets.token_hex(4)}", "Adapters")
    return (await tenant_by_slug(services.database, record.id)).number


@pytest.fixture
def database(services):
    return services.database
