"""BM25 in SQL against a plain one; what is stored stays exact; nobody sees another tenant's."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

import numpy as np
import psycopg
import pytest

from app.retrieval.match import TermHit
from app.retrieval.stores import bm25 as bm25_search
from app.storage import postings
from app.storage.filters import Compares, Is, Metadata
from tests.contract.in_postgres import new_tenant
from tests.contract.indexed import Indexed, indexed
from tests.contract.texts import Terms, load_terms, merge_all, put_terms, remove_terms

WORDS = [f"w{n}" for n in range(300)]
FREQUENT_FIRST = 1 / np.arange(1, len(WORDS) + 1)


def texts(seed: int, count: int) -> list[list[str]]:
    generator = np.random.default_rng(seed)
    chances = FREQUENT_FIRST / FREQUENT_FIRST.sum()
    return [list(generator.choice(WORDS, size=generator.integers(5, 200), p=chances)) for _ in range(count)]


def bm25(terms: Terms, question: list[str]) -> dict[int, TermHit]:
    """As in the books, but with the usual length for the average one."""
    held = Counter(term for words in terms for term in set(words))
    idf = {term: math.log(1 + (len(terms) - held[term] + 0.5) / (held[term] + 0.5)) for term in set(question)}
    found = {}
    for chunk, words in enumerate(terms):
        normal = postings.K1 * (1 - postings.B + postings.B * len(words) / postings.USUAL_LENGTH)
        counts = Counter(word for word in words if word in idf)
        if counts:
            score = sum(idf[term] * tf / (tf + normal) for term, tf in counts.items())
            found[chunk] = TermHit(chunk, score, sum(idf[term] for term in counts) / sum(idf.values()))
    return found


async def search(services, tenant: int, question: list[str], top_k: int = 10, where=None) -> list[TermHit]:
    async with services.database.snapshot(tenant) as snapshot:
        return await bm25_search.search(snapshot, tenant, question, top_k, where)


def assert_sound(owner_url: str, tenant: int) -> None:
    with psycopg.connect(owner_url) as connection:
        chunks = {row[0] for row in connection.execute("select id from chunks where tenant_id = %s", [tenant])}
        query = "select chunk_count from tenants where id = %s"
        assert connection.execute(query, [tenant]).fetchone() == (len(chunks),)
    indexed(owner_url, tenant).assert_sound(chunks)


@pytest.fixture(scope="module", params=[(), (700, 1500)], ids=["rows", "segments and rows"])
async def corpus(services, request) -> tuple[int, Terms]:
    """3,000 chunks, merged at each of these; and 40 more that are gone from all over it."""
    tenant, terms, first = await new_tenant(services.database), texts(1, 3000), 0
    await load_terms(services.database, tenant, texts(9, 40), first=5000)
    for stop in request.param:
        await load_terms(services.database, tenant, terms[first:stop], first=first)
        await merge_all(services.database, tenant)
        first = stop
    await load_terms(services.database, tenant, terms[first:], first=first)
    await remove_terms(services.database, tenant, range(5000, 5040))
    return tenant, terms


@pytest.mark.parametrize("question", [["w0", "w5"], ["w0", "w1", "w2", "w3", "w250"], ["w299", "unknown"], ["w7"] * 3])
async def test_the_ranking_is_that_of_plain_bm25(services, corpus, question):
    tenant, terms = corpus
    expected = bm25(terms, question)
    hits = await search(services, tenant, question)
    best = sorted(expected.values(), key=lambda hit: -hit.score)[:10]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in best], rel=1e-3)
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.chunk].score, rel=1e-3)
        assert hit.coverage == pytest.approx(expected[hit.chunk].coverage)


async def test_nothing_is_asked_or_nothing_is_known(services, corpus):
    tenant, _ = corpus
    assert await search(services, tenant, []) == []
    assert await search(services, tenant, ["unknown"]) == []
    assert await search(services, await new_tenant(services.database), ["w0"]) == []


async def test_a_question_of_thousands_of_words_is_searched_by_its_rarest(services, corpus):
    tenant, _ = corpus
    question = [*WORDS, *(f"unknown{n}" for n in range(5000))]
    hits = await search(services, tenant, question)
    assert len(hits) == 10
    assert hits == await search(services, tenant, WORDS[::-1] + question)


async def test_a_term_is_held_while_a_chunk_of_the_tenant_has_it(services):
    one, other = [await new_tenant(services.database) for _ in range(2)]

    async def held(tenant: int) -> bool:
        async with services.database.snapshot(tenant) as snapshot:
            return await bm25_search.holds(snapshot, tenant, "=ko")

    await put_terms(services.database, one, "mine", [["w0", "=ko"]] * 2)
    assert (await held(one), await held(other)) == (True, False)
    await put_terms(services.database, one, "mine", [["w0", "=en"]])
    assert not await held(one)


async def test_always_k(services, corpus):
    tenant, terms = corpus
    for question in (["w0"], ["w290", "w291"]):
        matching = len(bm25(terms, question))
        for top_k in (1, 100):
            assert len(await search(services, tenant, question, top_k)) == min(top_k, matching)


async def test_a_tenant_sees_its_own(services, owner_url):
    one, other = [await new_tenant(services.database) for _ in range(2)]
    (chunk,) = await put_terms(services.database, one, "mine", [["shared", "secret"]])
    await put_terms(services.database, other, "theirs", [["shared", "plain"]] * 3)
    assert [hit.chunk for hit in await search(services, one, ["shared"])] == [chunk]
    assert await search(services, other, ["secret"]) == []
    async with services.database.snapshot(other) as snapshot:
        assert await bm25_search.search(snapshot, one, ["shared"], 10) == []
    with psycopg.connect(services.settings.service_url) as connection:
        for table in ("postings", "lexicon", *(f"postings_{n}" for n in range(16))):
            if table in ("postings", "lexicon"):
                assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)
            else:
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(f"select count(*) from {table}")
        connection.execute("select set_config('app.tenant', %s, false)", [str(other)])
        for row in (
            "postings (tenant_id, chunk_id, impact, term) values (%s, 1, 1, 'x')",
            "lexicon values (%s, 'x', 1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"insert into {row}", [one])
    assert_sound(owner_url, one)


async def test_replaced_and_deleted_documents_leave_nothing(services, owner_url):
    tenant = await new_tenant(services.database)
    for seed, count in ((1, 5), (2, 3), (3, 0), (4, 2)):
        await put_terms(services.database, tenant, "one", texts(seed, count))
        await put_terms(services.database, tenant, "two", texts(seed + 10, 4))
        assert_sound(owner_url, tenant)
        if count == 3:
            await merge_all(services.database, tenant)
            assert_sound(owner_url, tenant)
    await put_terms(services.database, tenant, "one", [])
    await put_terms(services.database, tenant, "two", [])
    assert_sound(owner_url, tenant)
    await merge_all(services.database, tenant)
    assert indexed(owner_url, tenant) == Indexed()


async def test_many_writers_neither_wait_for_each_other_for_ever_nor_miscount(services, owner_url):
    """The same words in another order, in documents that come, are replaced and go."""
    tenant = await new_tenant(services.database)

    async def write(writer: int) -> None:
        for turn in range(6):
            document = f"{writer}-{turn % 2}"
            await put_terms(services.database, tenant, document, texts(100 * writer + turn, (writer + turn) % 4))

    async def merge() -> None:
        for _ in range(10):
            await merge_all(services.database, tenant)

    await asyncio.gather(merge(), *(write(writer) for writer in range(6)))
    assert_sound(owner_url, tenant)


async def test_a_deleted_tenant_takes_its_postings_along(services, owner_url):
    tenant = await new_tenant(services.database)
    await put_terms(services.database, tenant, "one", texts(1, 2))
    async with services.database.operator() as connection:
        await connection.execute("delete from tenants where id = %s", [tenant])
    with psycopg.connect(owner_url) as connection:
        for table in ("postings", "lexicon"):
            left = connection.execute(f"select count(*) from {table} where tenant_id = %s", [tenant]).fetchone()
            assert left == (0,)


@pytest.fixture(scope="module")
async def filtered(services) -> tuple[int, Terms, dict[int, int]]:
    """1,600 chunks: 1 in 2 matches `half`, 5 in 7 `many`, 1 in 50 `few`."""
    tenant, terms, ours = await new_tenant(services.database), texts(2, 1600), {}
    for n in range(160):
        metadata = {"half": n % 2, "many": n % 7, "few": n % 50}
        chunks = await put_terms(services.database, tenant, f"d{n}", terms[n * 10 : n * 10 + 10], metadata)
        ours |= {chunk: n * 10 + at for at, chunk in enumerate(chunks)}
    return tenant, terms, ours


@pytest.mark.parametrize(
    ("filter_", "matches"),
    [
        (Is(Metadata("half"), [1]), lambda n: n % 2 == 1),
        (Compares(Metadata("many"), "gte", 2), lambda n: n % 7 >= 2),
        (Is(Metadata("few"), [3]), lambda n: n % 50 == 3),
        (Is("document_id", ["d7"]), lambda n: n == 7),
        (Is("document_id", ["none"]), lambda n: False),
    ],
    ids=["half", "most", "few", "one", "none"],
)
@pytest.mark.parametrize("few", [bm25_search.FEW_CHUNKS, 0], ids=["narrow", "wide"])
@pytest.mark.parametrize("question", [["w0", "w5"], ["w280", "w281", "w290"]], ids=["frequent", "rare"])
async def test_filters_are_honoured_and_hide_nothing(services, filtered, monkeypatch, filter_, matches, few, question):
    tenant, terms, ours = filtered
    monkeypatch.setattr(bm25_search, "FEW_CHUNKS", few)
    expected = {chunk: hit for chunk, hit in bm25(terms, question).items() if matches(chunk // 10)}
    best = sorted((hit.score for hit in expected.values()), reverse=True)[:20]
    hits = await search(services, tenant, question, 20, filter_)
    assert {ours[hit.chunk] for hit in hits} <= expected.keys()
    # The head of a list holds the strongest chunks of one term, which need not be those of all terms together.
    assert [hit.score for hit in hits] == pytest.approx(best, rel=1e-2)
