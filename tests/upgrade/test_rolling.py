"""A rolling change of the version under load: no request fails, and none is done twice."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import time
from collections import Counter

import httpx
import pytest

from tests.conftest import ADMIN_KEY
from tests.upgrade.load import Load
from tests.upgrade.rolling import Rolling, SlowEngine, next_version, proxied

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed")
DRAIN_S = 5
STEADY_S = 5


@pytest.fixture
def wanted(request):
    if not request.config.getoption("--rolling"):
        pytest.skip("--rolling replaces a service's processes under load")


async def new_key(url: str) -> str:
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as operator:
        (await operator.post("/tenants", json={"id": "rolling", "name": "Rolling"})).raise_for_status()
        made = await operator.post("/tenants/rolling/keys", json={"scopes": ["query", "read", "ingest"]})
        return made.json()["key"]


async def listed(client: httpx.AsyncClient, what: str) -> list[dict]:
    found, cursor = [], {}
    while True:
        page = (await client.get(f"/{what}", params={"limit": 200, **cursor})).json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def states_in_the_end(client: httpx.AsyncClient) -> Counter[str]:
    """Of all jobs."""
    deadline = time.monotonic() + 120
    while True:
        found = Counter(each["status"] for each in await listed(client, "jobs"))
        if set(found) == {"succeeded"} or time.monotonic() > deadline:
            return found
        await asyncio.sleep(1)


async def test_the_version_changes_under_load(wanted, settings, tmp_path):
    engine = await SlowEngine().start()
    tree = next_version(tmp_path / "next")
    service = Rolling(settings, engine.url, DRAIN_S)
    try:
        for name in ("api", "api-2", "worker"):
            await service.start(name)
        with proxied(tmp_path, service.ports) as url:
            await asyncio.sleep(3)
            load = Load(url, await new_key(url))
            await load.first_document()
            async with load.running():
                await asyncio.sleep(STEADY_S)
                await service.migrate(tree)
                for name in ("api", "api-2", "worker"):
                    await service.replace(name, tree)
                await asyncio.sleep(STEADY_S)
            async with httpx.AsyncClient(base_url=url, headers=load._headers, timeout=60) as client:
                states = await states_in_the_end(client)
                there = len(await listed(client, "documents"))
    finally:
        service.stop()
        await engine.kill()
    stopped = {name: f"{seconds:.1f} s" for name, seconds in service.stopped_in.items()}
    sys.stderr.write(
        f"{load.told()}; stopped in {stopped}; job streams {dict(load.followed)}; {len(load.failed)} failed\n"
    )
    assert load.failed == []
    assert states == {"succeeded": len(load.jobs)}
    assert there == len(load.jobs)
    asked = Counter(re.findall(r"number \d+\?", "".join(chat.decode() for chat in engine.chats)))
    assert set(asked.values()) == {1}
    assert asked.total() == len(engine.chats) == len(load.questions)
    assert service.stopped_in["worker"] < 10
    assert all(service.stopped_in[name] < DRAIN_S + 15 for name in service.ports)
