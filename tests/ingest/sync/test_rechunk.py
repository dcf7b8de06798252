"""python -m ingest rechunk against a listening service, and what `add` says of outdated documents."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import DocumentError
from app.storage import processing
from ingest import pipeline
from ingest.__main__ import main
from tests.ingest.sync.adding import worker

UNCHANGED = "0 added, 0 replaced, 3 unchanged, 0 failed, 0 deleted.\n"
HINT = "2 of the unchanged documents were made by another loader or splitter than today's: 'python -m ingest rechunk'"


@pytest.fixture
async def working(services):
    async with worker(services):
        yield


@pytest.mark.usefixtures("working")
async def test_what_is_outdated_is_told_and_made_again(command, shelf, settings, monkeypatch, capsys):
    client, _, run = await command()
    await run(shelf)
    assert await run(verb="rechunk") == (0, "0 succeeded, 0 unchanged, 0 failed.\n", "")
    monkeypatch.setitem(processing.LOADERS, "text/plain", 2)
    told = await run(shelf)
    assert told[1].startswith(UNCHANGED + HINT)
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("KYUJANG_HOME", str(settings.home))
    slug = (await client.get("/v1/models")).json()["data"][0]["owned_by"]
    assert await asyncio.to_thread(main, ["add", "--in-place", "--tenant", slug, str(shelf)]) == 0
    assert capsys.readouterr().out == told[1]
    assert (await run("규정/연차 휴가.txt", verb="rechunk"))[:2] == (0, "1 succeeded, 0 unchanged, 0 failed.\n")
    only = '{"key": "source", "op": "eq", "value": "출장 (국내).txt"}'
    assert (await run("--filters", only, verb="rechunk"))[:2] == (0, "1 succeeded, 0 unchanged, 0 failed.\n")
    assert (await run(shelf))[:2] == (0, UNCHANGED)


@pytest.mark.usefixtures("working")
async def test_what_fails_is_named(command, shelf, monkeypatch):
    _, _, run = await command()
    await run(shelf)
    monkeypatch.setitem(processing.LOADERS, "text/markdown", 3)

    async def refuse(*_, **__):
        raise DocumentError("encrypted", "It needs a password.")

    monkeypatch.setattr(pipeline, "load_file", refuse)
    status, printed, complaints = await run(verb="rechunk")
    assert (status, printed) == (1, "0 succeeded, 0 unchanged, 1 failed.\n")
    assert complaints == "returns.md: encrypted: It needs a password.\n"


async def test_what_is_accepted_need_not_be_waited_for(command, shelf, services, monkeypatch):
    _, _, run = await command()
    async with worker(services):
        await run(shelf)
    monkeypatch.setitem(processing.LOADERS, "text/plain", 4)
    accepted = await run("--no-wait", verb="rechunk")
    assert accepted == (0, "Accepted: 2; a worker goes on with them.\n", "")
    for wrong in ("{", "[" * 9999):
        with pytest.raises(SystemExit):
            await run("--filters", wrong, verb="rechunk")
    status, _, complaints = await run("--filters", "[]", verb="rechunk")
    assert (status, "422: " in complaints) == (1, True)
