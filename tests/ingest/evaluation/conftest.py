from __future__ import annotations

import pytest

from tests.conftest import ingest_text
from tests.ingest.working import Worker

TEXT = "The reading room opens at nine. It is closed on Mondays. 열람실은 아홉 시에 연다. 열람실은 월요일에 쉰다."


@pytest.fixture
async def number(tenant, services) -> int:
    # Not for longer: it would take the tasks, too.
    async with Worker(services):
        await ingest_text(tenant, TEXT, id="hours")
    async with services.database.operator() as connection:
        found = await connection.execute("select max(id) as id from tenants")
        return (await found.fetchone())["id"]
