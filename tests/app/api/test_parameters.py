"""A query parameter that a route does not know is refused by name, before the body is read."""

from __future__ import annotations

import pytest

from app.storage.tenants import SCOPES
from tests.app.api.paths import paths
from tests.conftest import ADMIN_KEY

OPERATIONS = [
    (method, path, {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"})
    for path, methods in paths().items()
    for method, operation in methods.items()
]
TYPED_WRONG = ("Limit", "curser", "status ", "waite", "filter", "상태", "")


@pytest.fixture(scope="module")
async def headers(new_tenant):
    return (await new_tenant(scopes=SCOPES)).headers


async def body():
    raise AssertionError("the body was read")
    yield b""


@pytest.mark.parametrize(("method", "path", "known"), OPERATIONS)
async def test_each_route_names_what_it_does_not_know(anonymous, headers, method, path, known):
    own = {"Authorization": f"Bearer {ADMIN_KEY}"} if path.startswith(("/tenants", "/engines")) else headers
    route = path.replace("{", "").replace("}", "")
    for name in TYPED_WRONG:
        answer = await anonymous.request(method, route, params={name: "5"}, headers=own, content=body())
        if path.startswith("/v1/"):
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, name or None)
        else:
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["pointer"] == f"/{name}"
            assert all(repr(each) in answer.json()["detail"] for each in known)


@pytest.mark.parametrize("query", ["?", "?&", "?limit=1", "?limit=1&cursor="])
async def test_what_is_known_or_nothing_passes(tenant, query):
    assert (await tenant.get(f"/documents{query}")).status_code in (200, 422)
    assert (await tenant.get("/documents?limit=1&status=failed")).json()["errors"][0]["pointer"] == "/status"


async def test_a_key_is_asked_for_first(anonymous):
    assert (await anonymous.get("/documents?colour=red")).status_code == 401


async def test_a_long_name_and_many_are_not_sent_back_whole(tenant):
    answer = await tenant.get("/documents?" + "&".join(f"{number}{'x' * 3000}=1" for number in range(20)))
    assert answer.status_code == 422
    assert len(answer.content) < 3000
