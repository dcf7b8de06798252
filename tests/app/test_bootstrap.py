"""What the settings choose is what runs: the FAISS store behind the API, on documents taken in for pgvector."""

from __future__ import annotations

import secrets

import httpx
import pytest

from app.bootstrap import open_services
from app.main import create_app
from app.retrieval.stores.faiss_store import FaissStore
from app.retrieval.stores.pgvector import PgvectorStore
from tests.conftest import ADMIN_KEY, ingest_text

pytestmark = pytest.mark.usefixtures("worker")

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}


async def test_one_setting_changes_the_store_and_nothing_is_ingested_again(services, settings, new_tenant):
    name = f"t-{secrets.token_hex(4)}"
    client = await new_tenant(name)
    await ingest_text(client, "The moat is nine metres deep.", id="moat")
    await ingest_text(client, "해자는 깊이가 아홉 미터이다.", id="해자")
    question = {"input": "How deep is the moat?"}
    async with open_services(settings.model_copy(update={"index": "faiss"})) as other:
        assert isinstance(services.spaces.current.store, PgvectorStore)
        assert isinstance(other.spaces.current.store, FaissStore)
        app = create_app(other.settings, other)
        async with app.router.lifespan_context(app):
            faiss = httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=client.headers
            )
            one, two = [(await each.post("/search", json=question)).json() for each in (client, faiss)]
            assert [each["document_id"] for each in one["contexts"]] == [
                each["document_id"] for each in two["contexts"]
            ]
            assert one["contexts"][0]["score"] == pytest.approx(two["contexts"][0]["score"], abs=2e-3)
            # Written beside it, by the worker and by the other API: seen by the next question.
            await ingest_text(client, "The moat is dry.", id="moat")
            await client.delete("/documents/해자")
            found = (await faiss.post("/search", json=question)).json()["contexts"]
            assert [each["text"] for each in found] == ["The moat is dry."]
            assert (await faiss.get("/readyz")).status_code == 200
            deleted = await faiss.delete(f"/tenants/{name}", headers=OPERATOR)
            assert deleted.status_code == 202
            assert (await faiss.post("/search", json=question)).status_code == 401
