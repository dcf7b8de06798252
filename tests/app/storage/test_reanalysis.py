"""A change of the analysis: nothing starts on terms of another scheme, and migrate is the way out."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from app.bootstrap import open_services
from app.errors import NotConfigured
from app.retrieval.stores import bm25
from app.services import Services
from app.settings import Settings
from app.storage.migrate import migrate
from app.storage.tenants import tenant_by_slug
from tests.conftest import ingest_text
from tests.contract.indexed import indexed
from tests.contract.texts import merge_all

pytestmark = pytest.mark.usefixtures("worker")


def migrated(settings: Settings) -> None:
    migrate(settings, dimension=lambda: 384)


async def found(services: Services, tenant: int, text: str) -> int:
    async with services.database.snapshot(tenant) as snapshot:
        return len(await bm25.search(snapshot, tenant, services.analyzer.terms(text), 10))


def dump(owner_url: str, tenant: int) -> dict[int, dict[str, int]]:
    return indexed(owner_url, tenant).alive


def put_off(owner_url: str, until: str) -> int:
    """How many documents were given back to be tried later; from now on not before `until`."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        later = f"update job_items set not_before = {until} where status = 'queued' and not_before > now()"
        return connection.execute(later).rowcount


async def test_another_scheme_refuses_and_migrate_analyses_again(services, settings, owner_url, new_tenant):
    client = await new_tenant("reader")
    tenant = (await tenant_by_slug(services.database, "reader")).number
    await ingest_text(client, "날씨가 더워요.", id="weather", title="Forecast")
    before = dump(owner_url, tenant)
    await merge_all(services.database, tenant)
    assert [await found(services, tenant, text) for text in ("더운 날", "forecasts")] == [0, 1]

    kiwi = settings.model_copy(update={"lexical": "kiwi"})
    with pytest.raises(NotConfigured, match=r"KYUJANG_LEXICAL.*app migrate"):
        async with open_services(kiwi):
            pass
    await asyncio.to_thread(migrated, kiwi)
    async with open_services(kiwi) as other:
        assert [await found(other, tenant, text) for text in ("더운 날", "forecasts")] == [1, 1]
    with pytest.raises(NotConfigured, match="KYUJANG_LEXICAL"):
        async with open_services(settings):
            pass

    # A process of the old scheme that is still running stores nothing.
    await client.post("/ingest", json={"documents": [{"text": "늦은 글", "id": "late"}]})
    async with asyncio.timeout(60):
        while not put_off(owner_url, "now() + interval '1 hour'"):
            await asyncio.sleep(0.1)
    assert (await client.get("/documents/late")).status_code == 404

    await asyncio.to_thread(migrated, settings)
    assert put_off(owner_url, "now()") == 1
    async with asyncio.timeout(60):
        while (await client.get("/documents/late")).status_code == 404:
            await asyncio.sleep(0.1)
    await client.delete("/documents/late")
    assert dump(owner_url, tenant) == before


async def test_a_database_from_before_is_filled(services, settings, owner_url, new_tenant):
    client = await new_tenant("old")
    tenant = (await tenant_by_slug(services.database, "old")).number
    await ingest_text(client, "The shelf of old annals.", id="annals")
    before = dump(owner_url, tenant)
    with psycopg.connect(owner_url) as connection:
        connection.execute("truncate postings, lexicon, lexical_scheme")
    with pytest.raises(NotConfigured, match="unfinished"):
        async with open_services(settings):
            pass
    await asyncio.to_thread(migrated, settings)
    assert dump(owner_url, tenant) == before
    await asyncio.to_thread(migrated, settings)
    assert dump(owner_url, tenant) == before


async def test_migrate_leaves_terms_of_the_same_scheme_alone(settings, owner_url):
    def written() -> object:
        with psycopg.connect(owner_url) as connection:
            return connection.execute("select name, xmin::text from lexical_scheme").fetchone()

    before = written()
    await asyncio.to_thread(migrated, settings)
    assert written() == before
