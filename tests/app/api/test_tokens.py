"""Tokens of a real issuer (the package oidc-provider-mock) in the same header as keys, and what they open."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import oidc_provider_mock
import pytest

from app.main import create_app
from tests.conftest import ADMIN_KEY

BACK = "https://app.example/back"
OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
USERS = {
    "mina": {"tenant": "tokens", "scope": "openid kyujang:query kyujang:read kyujang:ingest kyujang:adapters"},
    "reader": {"tenant": "tokens", "scope": "kyujang:read"},
    "nobody": {"tenant": "tokens", "scope": "openid profile query read ingest"},
    "stranger": {"tenant": "no-such-tenant", "scope": "kyujang:query"},
    "guest": {"tenant": "tokens-guest", "scope": "kyujang:read kyujang:query"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    users = [oidc_provider_mock.User(sub=name, claims=claims) for name, claims in USERS.items()]
    with oidc_provider_mock.run_server_in_thread(user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


def signed_in(issuer: str, user: str, client: str = "kyujang") -> str:
    """The user's token, by the authorization code flow."""
    with httpx.Client(base_url=issuer, trust_env=False) as http:
        asked = {"client_id": client, "redirect_uri": BACK, "response_type": "code", "scope": "openid"}
        back = http.post("/oauth2/authorize", params=asked, data={"sub": user}).headers["location"]
        (code,) = parse_qs(urlsplit(back).query)["code"]
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        answer = http.post("/oauth2/token", data=given, auth=(client, "any"))
        return answer.raise_for_status().json()["id_token"]


@pytest.fixture(scope="module")
async def app(services, issuer, new_tenant):
    for slug in ("tokens", "tokens-guest"):
        await new_tenant(slug)
    own = services.settings.model_copy(
        update={"oidc_issuer": issuer, "oidc_audience": "kyujang", "private_networks": "127.0.0.0/8, ::1/128"}
    )
    made = create_app(own)
    made.state.services = dataclasses.replace(services, settings=own)
    return made


@pytest.fixture(scope="module")
def as_user(app, issuer):
    async def client(user: str, audience: str = "kyujang") -> httpx.AsyncClient:
        token = await asyncio.to_thread(signed_in, issuer, user, audience)
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=headers)

    return client


async def test_a_token_opens_what_its_scopes_say_in_its_tenant(as_user, worker):
    mina, reader, guest = [await as_user(name) for name in ("mina", "reader", "guest")]
    body = {"documents": [{"id": "vault", "text": "The vault opens at nine. 금고는 아홉 시에 연다."}]}
    assert (await mina.post("/ingest?wait=60", json=body)).status_code == 200
    found = await mina.post("/search", json={"input": "When does the vault open?"})
    assert "nine" in found.json()["contexts"][0]["text"]
    assert (await reader.get("/documents/vault")).status_code == 200
    refused = await reader.post("/search", json={"input": "When?"})
    assert (refused.status_code, "'query'" in refused.json()["detail"]) == (403, True)
    assert (await reader.delete("/documents/vault")).status_code == 403
    assert (await guest.get("/documents/vault")).status_code == 404
    assert (await guest.post("/search", json={"input": "When does the vault open?"})).json()["contexts"] == []


async def test_scopes_without_the_prefix_open_nothing(as_user):
    nobody = await as_user("nobody")
    for method, path in (("GET", "/documents"), ("GET", "/prompts"), ("POST", "/search")):
        assert (await nobody.request(method, path, json={"input": "?"})).status_code == 403


async def test_the_subject_is_in_the_audit_trail(as_user):
    mina = await as_user("mina")
    assert (await mina.post("/collections", json={"id": "desk"})).status_code == 201
    (entry,) = (await mina.get("/audit?object=desk")).json()["data"]
    assert (entry["actor"], entry["act"], entry["kind"]) == ("sub:mina", "create", "collection")
    assert (await mina.get("/audit?actor=sub:mina")).json()["data"] != []


async def test_a_tenant_that_is_not_here_is_refused(as_user):
    refused = await (await as_user("stranger")).get("/documents")
    assert (refused.status_code, refused.json()["detail"]) == (401, "The token's tenant is not one of this service.")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_token_for_another_application_is_refused(as_user):
    refused = await (await as_user("mina", audience="other-app")).get("/documents")
    assert (refused.status_code, "'aud'" in refused.json()["detail"]) == (401, True)


async def test_keys_open_what_they_did(app, new_tenant):
    key = await new_tenant()
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=key.headers)
    assert (await client.get("/documents")).status_code == 200
    assert (await client.get("/documents", headers={"Authorization": "Bearer kyu_ab_cd.ef.gh"})).status_code == 401
    assert (await client.get("/audit", headers=OPERATOR)).status_code == 200
    assert (await client.get("/tenants", headers=OPERATOR)).status_code == 200


async def test_a_token_opens_nothing_of_the_operator_s(as_user):
    mina = await as_user("mina")
    assert (await mina.get("/tenants")).status_code == 401
    shown = (await mina.get("/audit")).json()["data"]
    assert {entry["tenant"] for entry in shown} == {"tokens"}
    assert (await mina.get("/metrics")).status_code in (401, 403)


async def test_without_an_issuer_a_token_is_as_any_wrong_key(anonymous, issuer):
    token = await asyncio.to_thread(signed_in, issuer, "mina")
    refused = await anonymous.get("/documents", headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json()["detail"]) == (401, "This key is unknown, expired or revoked.")


async def test_the_tenant_s_limit_of_requests_holds_for_tokens(as_user, app):
    guest = await as_user("guest")
    operator = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=OPERATOR)
    limits = {"limits": {"requests_per_minute": 1}}
    assert (await operator.patch("/tenants/tokens-guest", json=limits)).status_code == 200
    # A minute may end between two of them.
    answers = [(await guest.get("/documents")).status_code for _ in range(4)]
    assert 429 in answers
    assert (await operator.delete("/tenants/tokens-guest")).status_code == 202
    assert (await guest.get("/jobs")).status_code == 401


async def test_tokens_are_counted_by_what_becomes_of_them(as_user, app):
    mina, stranger, other = await as_user("mina"), await as_user("stranger"), await as_user("mina", "another")
    metrics = app.state.services.metrics

    def counted() -> dict[str, float]:
        names = ("accepted", "tenant", "claim", "unreadable")
        return {name: metrics.tokens.labels(name)._value.get() for name in names}

    before = counted()
    for client in (mina, stranger, other):
        await client.get("/documents")
    broken = {"Authorization": "Bearer eyJ9.eyJ9.x"}
    assert (await mina.get("/documents", headers=broken)).status_code == 401
    assert {name: value - before[name] for name, value in counted().items()} == dict.fromkeys(before, 1)
