"""Any filter over any corpus gives what Python's own evaluation of it gives, in each store and in lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.retrieval.stores import pgvector
from app.storage import documents
from app.storage.filter_sql import compile_filter
from app.storage.filters import All, Compares, Contains, Is, Metadata, Not, Some
from tests.contract.corpus import SPACE, Document, search, unit
from tests.contract.in_memory import InMemoryStore, MemoryCorpus, holds
from tests.contract.in_postgres import PostgresCorpus, new_tenant, put
from tests.contract.test_vector_store import faiss_store

# Few keys and values, so that filters hit; with what could break out of SQL, JSON or a path.
KEYS = ["k", "a.b", "", "q\"'; --", "키", "x" * 150]
TEXTS = ["", "a", "b", "%s", "7", "true", "'\"\\", "한글", "z" * 250, "z" * 250 + "a", "😀"]
NUMBERS = [0, 1, 7, -1, 0.5, 7.0, 1e300, 2**53, 2**53 + 1, 2**63 - 1]
DAY = datetime(2026, 1, 1, tzinfo=UTC)
IDS = sorted(
    ["d 1", "a/chunks", "..", "/a", "보고서 (최종) v2.pdf", "a+b&c#d?.txt", "50% [old].md", "\U00020000" * 512]
)

scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS))
comparable = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(TEXTS))
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.fixed_dictionaries({"k": scalars}))
metadata = st.dictionaries(st.sampled_from(KEYS), values, max_size=3)
keys = st.sampled_from(KEYS).map(Metadata)
ranges = st.sampled_from(["gt", "gte", "lt", "lte"])
times = st.integers(0, 4).map(lambda days: DAY + timedelta(days=days))

leaves = st.one_of(
    st.builds(Is, keys, st.lists(scalars, min_size=1, max_size=3)),
    st.builds(Compares, keys, ranges, comparable),
    st.builds(Contains, keys, scalars),
    st.builds(Is, st.just("source"), st.lists(st.one_of(st.none(), st.sampled_from(TEXTS)), min_size=1, max_size=2)),
    st.builds(Is, st.just("document_id"), st.lists(st.sampled_from(IDS), min_size=1, max_size=3)),
    st.builds(Is, st.just("created_at"), st.lists(times, min_size=1, max_size=2)),
    st.builds(Compares, st.just("source"), ranges, st.sampled_from(TEXTS)),
    st.builds(Compares, st.just("document_id"), ranges, st.sampled_from(IDS)),
    st.builds(Compares, st.just("created_at"), ranges, times),
)
any_filter = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=3)),
        st.builds(Some, st.lists(inner, min_size=1, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
corpora = st.lists(st.tuples(metadata, st.one_of(st.none(), st.sampled_from(TEXTS)), times), min_size=1, max_size=8)


@pytest.mark.parametrize("narrow", [True, False])
@settings(
    max_examples=100,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(corpus=corpora, filter_=any_filter, top_k=st.integers(1, 12))
async def test_every_filter_finds_what_python_finds(services, tmp_path, monkeypatch, narrow, corpus, filter_, top_k):
    if not narrow:
        # As in a large corpus: nothing is scanned by document.
        monkeypatch.setattr(pgvector, "EXACT_UP_TO_MATCHING", 0)
    rng = np.random.default_rng(3)
    there = [
        Document(id_, unit(rng, 2), meta, source, at) for id_, (meta, source, at) in zip(IDS, corpus, strict=False)
    ]
    expected = [document.id for document in there if holds(filter_, document)]
    postgres = PostgresCorpus(services.database)
    for kept_in, stores in (
        (postgres, [pgvector.PgvectorStore(SPACE), faiss_store(tmp_path)]),
        (MemoryCorpus(), [InMemoryStore()]),
    ):
        tenant = await kept_in.new_tenant()
        chunks = await kept_in.put(tenant, *there)
        if kept_in is postgres:
            listed, _ = await documents.list_documents(services.database, tenant, limit=50, after=None, where=filter_)
            assert [document.id for document in listed] == expected
        of_them = {chunk for id_ in expected for chunk in chunks[id_]}
        for store in stores:
            hits = await search(kept_in, store, tenant, unit(rng, 1)[0], top_k, filter_)
            assert {hit.chunk for hit in hits} <= of_them
            assert len(hits) == min(top_k, len(of_them))
            every = await search(kept_in, store, tenant, unit(rng, 1)[0], 100, filter_)
            assert {hit.chunk for hit in every} == of_them


@pytest.mark.parametrize("text", ["z" * 250, "z" * 250 + "a", "힣" * 300, "짧은 글"])
async def test_long_keys_and_texts_are_found_whole(services, text):
    database, store = services.database, pgvector.PgvectorStore(SPACE)
    tenant, rng = await new_tenant(services.database), np.random.default_rng(3)
    for key in ("k" * 150, "키" * 101, "k"):
        there = Document("it", unit(rng, 1), {key: text, "list": [text]})
        chunks = await put(database, tenant, there, Document("other", unit(rng, 1), {key: text + "!"}))
        for filter_ in (
            Is(Metadata(key), [text]),
            All([Compares(Metadata(key), "lte", text), Compares(Metadata(key), "gte", text)]),
            Contains(Metadata("list"), text),
        ):
            hits = await search(database, store, tenant, unit(rng, 1)[0], 5, filter_)
            assert [hit.chunk for hit in hits] == chunks["it"], filter_


def test_the_oracle_is_strict():
    document = Document("d", unit(np.random.default_rng(), 1), {"k": "7", "l": [1, True]})
    assert not holds(Is(Metadata("k"), [7]), document)
    assert holds(Is(Metadata("missing"), [None]), document)
    assert not holds(Is(Metadata("l"), [1]), document)
    assert holds(Not(Compares(Metadata("k"), "gt", 1)), document)


def test_parameters_never_share_a_name():
    condition = compile_filter(All([Is("source", ["a", None]), Not(Compares(Metadata("k"), "gt", 1))]))
    assert len(condition.parameters) == len(set(condition.parameters))
    assert all(f"%({name})s" in condition.sql + "".join(condition.candidates) for name in condition.parameters)
