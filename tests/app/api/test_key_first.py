"""A caller without a key costs next to nothing: its body is not even received."""

from __future__ import annotations

import pytest

from app.storage.tenants import read_keys
from tests.app.api.paths import paths

OPEN = {"/healthz", "/readyz", "/limits"}
PATHS = paths()
ROUTES = [(method.upper(), path) for path, methods in PATHS.items() for method in methods if path not in OPEN]
KINDS = ("application/json", "multipart/form-data; boundary=x", "text/plain")


@pytest.fixture(autouse=True)
def no_delay(monkeypatch):
    """tests/app/api/test_wrong_keys.py looks at it."""
    monkeypatch.setattr("app.api.wrong_keys.FIRST_DELAY_S", 0)


class Body:
    """Counts what is asked for of 300 MB."""

    received = 0

    async def __aiter__(self):
        for _ in range(300):
            self.received += 1 << 20
            yield b"[" * (1 << 20)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [None, "Bearer kyu_0123456789abcdef_wrong"], ids=["no key", "a wrong key"])
@pytest.mark.parametrize(("method", "route"), ROUTES)
async def test_without_a_key_no_body_is_read(anonymous, method, route, key, kind):
    body = Body()
    headers = {"content-type": kind} | ({"authorization": key} if key else {})
    answer = await anonymous.request(
        method, route.replace("{", "").replace("}", ""), content=aiter(body), headers=headers
    )
    assert answer.status_code == 401, answer.text
    assert body.received == 0


async def test_a_key_without_the_scope_reads_no_body(new_tenant):
    body, client = Body(), await new_tenant(scopes=("ingest",))
    answer = await client.post("/query", content=aiter(body), headers={"content-type": KINDS[0]})
    assert (answer.status_code, body.received) == (403, 0)


async def test_with_a_key_no_more_is_read_than_the_limit(tenant):
    body = Body()
    answer = await tenant.post("/query", content=aiter(body), headers={"content-type": KINDS[0]})
    assert answer.status_code == 413
    assert body.received <= 2 << 20


async def test_a_key_is_looked_up_once(tenant, monkeypatch):
    asked = []

    async def counted(database, ids):
        asked.extend(ids)
        return await read_keys(database, ids)

    monkeypatch.setattr("app.storage.key_lookups.read_keys", counted)
    assert (await tenant.post("/search", json={"input": "x"})).status_code == 200
    assert len(asked) == 1
