"""Another version of a document: what it has in the same words keeps its vector."""

from __future__ import annotations

import dataclasses

import psycopg
import pytest

from tests.conftest import NewTenant, with_encoder
from tests.ingest.working import SlowEncoder, Worker, accept, until

pytestmark = pytest.mark.usefixtures("nothing_queued")

PARAGRAPHS = {
    "en": [f"Shelf {n} holds the annals of the year {1392 + n}, bound in blue silk." for n in range(40)],
    "ko": [f"서가 {n}에는 {1392 + n}년의 실록이 푸른 비단으로 묶여 있다." for n in range(40)],
}


class Counting(SlowEncoder):
    def __init__(self) -> None:
        super().__init__(0)
        self.texts: list[str] = []

    def encode(self, texts, kind):
        self.texts += texts
        return super().encode(texts, kind)


@pytest.fixture
async def encoder(services):
    """A worker with small chunks beside the test."""
    counting = Counting()
    settings = services.settings.model_copy(update={"chunk_tokens": 32, "chunk_overlap": 0})
    async with Worker(with_encoder(dataclasses.replace(services, settings=settings), counting)):
        yield counting


@pytest.mark.parametrize("language", PARAGRAPHS)
async def test_only_changed_chunks_are_embedded_again(encoder, new_tenant: NewTenant, owner_url, language):
    client, paragraphs = await new_tenant(), list(PARAGRAPHS[language])
    await until(client, await accept(client, "\n\n".join(paragraphs), id="annals"), "succeeded")
    chunks = len(encoder.texts)
    encoder.texts.clear()
    last = paragraphs[-1] = paragraphs[-1].replace("1431", "1999")
    job = await until(client, await accept(client, "\n\n".join(paragraphs), id="annals"), "succeeded")
    assert len(encoder.texts) == 1 < chunks
    assert last in encoder.texts[0]
    assert job["documents"][0]["chunks"] == job["documents"][0]["chunks_done"] == chunks
    stored = (await client.get("/documents/annals/chunks?limit=200")).json()["data"]
    assert last in stored[-1]["text"]
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        tenant = connection.execute("select tenant_id from job_items order by seq desc limit 1").fetchone()[0]
        connection.execute("reset role")
        connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        of_tenant = "select count(*), count(distinct chunk_id) from vectors_1 where tenant_id = %s"
        counted = connection.execute(of_tenant, [tenant]).fetchone()
    assert counted == (chunks, chunks)


async def test_another_title_embeds_everything_again(encoder, new_tenant: NewTenant):
    client, text = await new_tenant(), "\n\n".join(PARAGRAPHS["en"])
    await until(client, await accept(client, text, id="annals", title="Annals"), "succeeded")
    first = list(encoder.texts)
    encoder.texts.clear()
    job = await until(client, await accept(client, text, id="annals", title="Chronicle"), "succeeded")
    assert job["documents"][0]["status"] == "succeeded"
    assert encoder.texts == [each.replace("Annals\n", "Chronicle\n", 1) for each in first]
    assert (await client.get("/documents/annals")).json()["title"] == "Chronicle"
