"""The web application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from app import __version__
from app.adapters.reconciler import AdapterReconciler
from app.api import (
    adapters,
    audit,
    collections,
    console,
    document_pages,
    documents,
    engines,
    evaluations,
    health,
    ingest,
    jobs,
    openai,
    openai_responses,
    problems,
    prompts,
    queries,
    query,
    reference_pages,
    shelf_map,
    tenants,
    tune,
    usage,
    webhooks,
    whoami,
)
from app.api.cors import Cors
from app.api.head import HeadAsGet
from app.api.job_streams import JobStreams
from app.api.limit_events import LimitEvents
from app.api.middleware import BodyLimit, OwnPagesOnly, RequestContext
from app.api.prefix import Prefix
from app.api.query_logging import QueryLog
from app.api.readiness import ReadinessCheck
from app.api.refusals import Refusals, RefusedAgain
from app.api.schemas import IngestBody, Problem
from app.api.stopping import ClosedConnections
from app.api.wrong_keys import WrongKeys
from app.bootstrap import open_services
from app.concurrency import run_forever
from app.metrics import Metrics
from app.oidc import Issuer
from app.pages.drawing import PageDrawer
from app.sandbox.protections import log_protections
from app.services import Services
from app.settings import Settings
from app.stopping import Stopping
from app.storage.key_lookups import KeyLookups
from app.storage.rates import RequestCounter
from app.webhooks import WebhookDelivery

# The pages of documents come before them: an id may hold slashes.
ROUTERS = tuple(
    each.router
    for each in (
        *(query, queries, openai, openai_responses, prompts, adapters, ingest, document_pages, documents),
        *(collections, jobs, tune, evaluations, tenants, audit, engines, usage, webhooks, shelf_map),
        *(whoami, health),
    )
)
PROBLEM = {"model": Problem, "content": {"application/problem+json": {}}}
# FastAPI's own pages load scripts from other hosts; its redirects lead to the host that the caller names.
WITHOUT: dict[str, Any] = {"docs_url": None, "redoc_url": None, "redirect_slashes": False}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {**PROBLEM, "description": "What is wrong with the request"},
    "5XX": {**PROBLEM, "description": "What is wrong with the service"},
}


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """Open `services` here, unless a test brings its own."""
    metrics = services.metrics if services else Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if services is not None:
            app.state.services = services
            yield
            await app.state.query_log.close()
            return
        async with open_services(settings, metrics, for_requests=True) as opened:
            app.state.services = opened
            app.state.sandbox = await log_protections()
            watches = [opened.spaces.watch]
            if opened.engine is not None:
                adapters = AdapterReconciler(settings, opened.storage, opened.database, opened.engine, metrics)
                watches += [opened.engine.watch, adapters.run]
            if settings.webhook_hosts:
                watches.append(WebhookDelivery(settings, opened.database, metrics).run)
            watching = [asyncio.create_task(run_forever(watch)) for watch in watches]
            yield
            await app.state.query_log.close()
            for each in watching:
                each.cancel()

    servers = [{"url": settings.root_path}] if settings.root_path else None
    app = FastAPI(
        title="Kyujang", version=__version__, lifespan=lifespan, responses=RESPONSES, servers=servers, **WITHOUT
    )
    _add_state(app, settings)
    problems.install(app)
    reference_pages.install(app)
    console.install(app, settings.root_path)
    _wrap(app, settings, metrics)
    for router in ROUTERS:
        app.include_router(router)
    _describe_ingest(app)
    return app


def _add_state(app: FastAPI, settings: Settings) -> None:
    """Add what requests share in this process."""
    app.state.wrong_keys = WrongKeys()
    app.state.key_lookups = KeyLookups()
    app.state.issuer = Issuer(settings) if settings.oidc_issuer else None
    app.state.stopping = Stopping()
    app.state.job_streams = JobStreams(app.state.stopping)
    app.state.query_log = QueryLog()
    app.state.refusals = Refusals()
    app.state.request_counter = RequestCounter()
    app.state.limit_events = LimitEvents()
    app.state.readiness = ReadinessCheck()
    app.state.page_drawer = PageDrawer(settings)


def _wrap(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add the middleware; a request meets the last first."""
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(RefusedAgain, refusals=app.state.refusals)
    if settings.auth == "off":
        app.add_middleware(OwnPagesOnly, host=settings.host, origins=settings.allowed_origins)
    app.add_middleware(RequestContext, metrics=metrics)
    app.add_middleware(ClosedConnections, stopping=app.state.stopping)
    app.add_middleware(Cors, origins=settings.allowed_origins)
    if settings.root_path:
        app.add_middleware(Prefix, prefix=settings.root_path)


def _describe_ingest(app: FastAPI) -> None:
    """Add the schema of /ingest, which reads its body itself, so that FastAPI does not see it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            own = IngestBody.model_json_schema(ref_template="#/components/schemas/{model}")
            schema["components"]["schemas"].update(own.pop("$defs"), IngestBody=own)
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]
