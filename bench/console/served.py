"""The service that the page is shown by: in this process, with an engine that says 500 tokens at a steady pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import httpx
import psycopg
import uvicorn
from pydantic import SecretStr

from app.bootstrap import open_services
from app.main import create_app
from app.services import Services
from app.storage.keys import create_key
from app.storage.tenants import SCOPES, create_tenant
from bench.ingest.home import Home
from ingest.worker import run

OPERATOR = "k" * 24
TOKENS = 500
WORDS = ("The", "room", "opens", "at", "nine", "and", "closes", "at", "six.", "Nobody", "asks", "for", "a", "place.")
TEXT = "The reading room opens at nine. It is closed on Mondays. 열람실은 아홉 시에 열고 월요일에는 닫는다."
PERSONAS = ("A librarian.", "A patient librarian.")
WAIT_S = 60


@dataclass(frozen=True)
class Served:
    """`pace` sets how many tokens a second the engine says from now on; `few` and `many` are keys of tenants."""

    url: str
    few: str
    many: str
    documents: int
    pace: Callable[[float], None]


@asynccontextmanager
async def served(home: Home, documents: int) -> AsyncIterator[Served]:
    """Serve a tenant with something on each screen, and one with so many documents."""
    settings = home.settings.model_copy(update={"admin_key": SecretStr(OPERATOR), "grounding": "mark"})
    async with open_services(settings) as services, AsyncExitStack() as held:
        fake, pace = await _engine(held)
        engine = import_module("tests.app.fake_engine").engine_of(fake.replica(meter=services.meter))
        held.push_async_callback(engine.close)
        app = create_app(settings, replace(services, engine=engine))
        await held.enter_async_context(app.router.lifespan_context(app))
        stop = asyncio.Event()
        working = asyncio.create_task(run(services, stop))
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        few, many = [await _tenant(services, url, name) for name in ("few", "many")]
        await asyncio.to_thread(_multiply, home, documents)
        yield Served(url, few, many, documents, pace)
        stop.set()
        server.should_exit = True
        await asyncio.gather(working, serving, return_exceptions=True)


async def _tenant(services: Services, url: str, name: str) -> str:
    await create_tenant(services.database, name, name)
    secret = (await create_key(services.database, name, list(SCOPES))).secret
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=WAIT_S, trust_env=False) as client:
        document = {"id": "room", "title": "The reading room", "text": TEXT}
        (await client.post(f"/ingest?wait={WAIT_S}", json={"documents": [document]})).raise_for_status()
        for persona in PERSONAS:
            (await client.put("/prompts/desk", json={"persona": persona})).raise_for_status()
        # The map's axes are made once they are asked for.
        (await client.get("/map")).raise_for_status()
    return secret


def _multiply(home: Home, documents: int) -> None:
    """Copy the row of the tenant's only document, under other names."""
    with psycopg.connect(home.owner_url, autocommit=True) as connection:
        listed = connection.execute(
            "select string_agg(quote_ident(attname), ', ') from pg_attribute"
            " where attrelid = 'documents'::regclass and attnum > 0 and not attisdropped"
            " and attname not in ('id', 'number', 'chunks')"
        ).fetchone()
        assert listed is not None
        columns = listed[0]
        connection.execute(
            f"""
            insert into documents (id, chunks, {columns})
            select 'copy-' || lpad(each::text, 6, '0'), 0, {columns}
            from documents, generate_series(2, %s) each
            where tenant_id = (select id from tenants where slug = 'many')
            """.encode(),  # noqa: S608 - names of columns
            [documents],
        )


async def _engine(held: AsyncExitStack) -> tuple[Any, Callable[[float], None]]:
    """Return one that waits before each token for a clock, and what sets the clock's pace."""
    made = import_module("tests.app.fake_engine")
    ticks = [asyncio.Event() for _ in range(TOKENS)]
    ticking: list[asyncio.Task[None]] = []

    async def tick(pause: float) -> None:
        for each in ticks:
            each.clear()
        # Not before somebody listens.
        while fake.running == 0:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(pause)
        for each in ticks:
            await asyncio.sleep(pause)
            each.set()

    def pace(tokens_per_second: float) -> None:
        for each in ticking:
            each.cancel()
        ticking[:] = [asyncio.create_task(tick(1 / tokens_per_second))]

    fake = made.FakeEngine(context_tokens=16_384, pieces=_pieces(ticks))
    await held.enter_async_context(made.fake_engines(fake))
    return fake, pace


def _pieces(ticks: list[asyncio.Event]) -> list[str | asyncio.Event]:
    pieces: list[str | asyncio.Event] = []
    for number, tick in enumerate(ticks):
        ends = number == len(ticks) - 1
        delta = {"delta": {"content": f"{WORDS[number % len(WORDS)]} "}, "finish_reason": "stop" if ends else None}
        pieces += [tick, f"data: {json.dumps({'choices': [delta]})}\n\n"]
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": len(ticks)}})
    return [*pieces, f"data: {usage}\n\ndata: [DONE]\n\n"]
