"""Limits hold for two API processes together, whatever sixteen clients ask of them at once."""

from __future__ import annotations

import pytest

from app.storage.keys import create_key
from app.storage.tenants import create_tenant
from bench.limits import CLIENTS, LIMITED, clients_of, two_processes, under_load
from tests.conftest import ingest_text

LIMIT = 12
# Long enough that requests beyond the limit are refused, short enough that none of the first is a minute old.
SECONDS = 4


@pytest.fixture(scope="module")
async def ports(settings):
    async with two_processes(settings.home, settings.owner_url) as ports:
        yield ports


@pytest.mark.usefixtures("worker")
async def test_two_processes_hold_a_tenant_to_its_limits_together(services, ports):
    await create_tenant(services.database, "limited", "limited")
    key = (await create_key(services.database, "limited", ["query", "ingest"])).secret
    async with clients_of(ports, key, 1) as [client]:
        await ingest_text(client, "The reading room opens at nine.")
    for limited in LIMITED:
        if limited.name == "jobs_waiting":
            # The worker would end what waits.
            continue
        limit = LIMIT * limited.each
        found = await under_load(ports, services.database, "limited", key, limited, limit, seconds=SECONDS)
        under_way = 0 if limited.exact else CLIENTS * limited.each
        # Of documents one was there before.
        let_in = found["let in"] + (limited.name == "documents")
        assert limit <= let_in <= limit + under_way, (limited.name, found)
        assert found["counted"] == let_in, (limited.name, found)
        assert found["refused"] > 0
        assert found["other"] == []
