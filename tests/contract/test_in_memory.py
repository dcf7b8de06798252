"""The promises of test_vector_store.py, kept by a store that knows no PostgreSQL: that the port needs none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.contract.corpus import Corpus
from tests.contract.in_memory import InMemoryStore, MemoryCorpus
from tests.contract.test_vector_store import (  # noqa: F401
    NewStore,
    rng,
    store,
    test_a_replacement_and_a_deletion_are_seen_by_the_next_search,
    test_an_empty_an_unknown_and_a_deleted_tenant_have_no_hits,
    test_an_older_snapshot_sees_its_own_state,
    test_equal_vectors_are_ordered_by_chunk,
    test_filters_narrow_and_wide_find_all_that_match,
    test_min_of_k_and_chunks_come_back,
    test_searches_beside_changes_are_always_whole,
    test_stores_in_several_processes_keep_in_step,
    test_the_nearest_come_first_with_their_cosine,
    test_two_tenants_do_not_see_each_other,
)


@pytest.fixture
def corpus() -> Corpus:
    return MemoryCorpus()


@pytest.fixture
def new_store() -> NewStore:
    return InMemoryStore


def test_a_store_needs_neither_psycopg_nor_pgvector():
    """In a process of its own: the fixtures of other tests import both."""
    code = "import sys, tests.contract.in_memory; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "app.retrieval.stores" in loaded.split()
    assert not {"psycopg", "psycopg_pool", "pgvector", "app.storage.database"} & set(loaded.split())
