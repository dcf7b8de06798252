"""The engines, as the operator sees them."""

from __future__ import annotations

import httpx
import pytest

from tests.app.api.generating import QUESTION
from tests.conftest import ADMIN_KEY

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}


async def test_an_engine_s_state_model_and_adapters_are_shown(start):
    client, _ = await start("It opens at nine [1].")
    before = (await client.get("/engines", headers=OPERATOR)).json()
    assert (before["engines"][0]["state"], before["engines"][0]["model"]) == ("unverified", None)
    assert await client._transport.app.state.services.engine.working()
    await client.post("/query", json=QUESTION)
    found = (await client.get("/engines", headers=OPERATOR)).json()
    (engine,) = found["engines"]
    assert (engine["state"], engine["reason"], engine["model"]) == ("up", "ok", "scripted-7b")
    assert (engine["context_tokens"], engine["running"], engine["adapters"]) == (4096, 0, 0)
    assert (found["running"], found["waiting"]) == (0, 0)


async def test_without_an_engine_there_is_none(anonymous: httpx.AsyncClient):
    assert (await anonymous.get("/engines", headers=OPERATOR)).json() == {"engines": [], "running": 0, "waiting": 0}


@pytest.mark.parametrize("key", ["", "Bearer kyu_00_wrong"])
async def test_they_are_the_operator_s(anonymous, tenant, key):
    assert (await anonymous.get("/engines", headers={"Authorization": key} if key else {})).status_code == 401
    assert (await tenant.get("/engines")).status_code == 401
