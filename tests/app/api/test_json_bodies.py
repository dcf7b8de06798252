"""A body that is not JSON has the same code on every route, and one that is not declared as JSON another."""

from __future__ import annotations

import pytest

from app.storage.tenants import SCOPES
from tests.app.api.paths import paths
from tests.conftest import ADMIN_KEY

PATHS = paths()
ROUTES = [
    (method.upper(), path)
    for path, methods in PATHS.items()
    for method, operation in methods.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]
NOT_JSON = (
    b"{", b"{input: 1}", b'{"input": "\xff"}', b"\xef\xbb\xbf\xff", b'{"input": ' + b"[" * 30_000, b"9" * 5000,
    b"\x00", b"NaN,",
)  # fmt: skip
OTHER_KINDS = ("text/plain", "application/x-www-form-urlencoded", "application/xml", "json", "application/jsonx", None)


@pytest.fixture(scope="module")
async def ask(anonymous, new_tenant):
    key = (await new_tenant(scopes=SCOPES)).headers["authorization"]

    async def asked(method, route, content, kind):
        own = f"Bearer {ADMIN_KEY}" if route.startswith(("/tenants", "/engines")) else key
        headers = {"authorization": own} | ({"content-type": kind} if kind else {})
        path = route.replace("{", "").replace("}", "")
        answer = await anonymous.request(method, path, content=content, headers=headers)
        body = answer.json()
        return answer.status_code, body["error"]["code"] if route.startswith("/v1/") else body["code"]

    return asked


@pytest.mark.parametrize(("method", "route"), ROUTES)
async def test_what_is_not_json_is_called_so(ask, method, route):
    for content in NOT_JSON:
        for kind in ("application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"):
            if route == "/ingest" and kind.endswith("+json"):
                continue
            assert await ask(method, route, content, kind) == (400, "invalid_json"), content[:20]


@pytest.mark.parametrize(("method", "route"), ROUTES)
async def test_what_is_not_declared_as_json_is_415(ask, method, route):
    for kind in OTHER_KINDS:
        assert await ask(method, route, b'{"input": "x"}', kind) == (415, "unsupported_media_type"), kind
    if (method, route) == ("POST", "/documents/rechunk"):
        return
    empty = await ask(method, route, b"", "application/json")
    assert empty in ((422, "invalid_input"), (400, "invalid_input"), (400, "invalid_json"))
