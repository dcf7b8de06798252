"""KYUJANG_SPLITTER=langchain, with the real library and the real tokenizer."""

from __future__ import annotations

import dataclasses
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.errors import DocumentError, NotConfigured
from ingest import langchain_split
from ingest.__main__ import main
from ingest.langchain_split import split_text
from ingest.loading.load import Loaded
from ingest.loading.parsed import Page
from tests.conftest import ingest_text
from tests.ingest.test_split import ENGLISH, KOREAN, check, words
from tests.ingest.working import Worker

REPEATED = "- - -\n" * 40


@pytest.fixture(scope="module")
def encoder(models: Path) -> E5Encoder:
    return E5Encoder(packaged_folder(models))


@pytest.mark.parametrize("text", [ENGLISH * 30, KOREAN * 30, REPEATED, "가" * 2000, f"{ENGLISH}\n\n{KOREAN}\n" * 20])
def test_chunks_are_literal_in_order_whole_and_small_enough(encoder, text):
    loaded = Loaded("text/plain", None, [Page(1, text), Page(2, text)])
    chunks = split_text(loaded, count_tokens=encoder.count_tokens, max_tokens=60)
    check(loaded, chunks, 60, encoder.count_tokens)
    assert {chunk.pages for chunk in chunks} == {(1, 1), (2, 2)}


def test_sentences_stay_whole_where_they_fit(encoder):
    loaded = Loaded("text/plain", None, [Page(None, KOREAN * 10)])
    chunks = split_text(loaded, count_tokens=encoder.count_tokens, max_tokens=80)
    assert all(chunk.text.endswith("다.") for chunk in chunks)


def test_a_chunk_that_is_not_in_the_text_is_an_error(monkeypatch):
    class Wrong:
        def split_text(self, text: str) -> list[str]:
            return [text.upper()]

    monkeypatch.setattr(langchain_split, "_splitter", lambda *_: Wrong())
    with pytest.raises(DocumentError, match="not in the document"):
        split_text(Loaded("text/plain", None, [Page(None, "small")]), count_tokens=words, max_tokens=9)


def test_without_room_or_without_the_library_it_says_what_to_do(monkeypatch, encoder):
    loaded = Loaded("text/plain", None, [Page(None, "여든 여덟")])
    with pytest.raises(NotConfigured, match="KYUJANG_CHUNK_TOKENS"):
        split_text(loaded, count_tokens=encoder.count_tokens, max_tokens=2)
    monkeypatch.setitem(sys.modules, "langchain_text_splitters", None)
    with pytest.raises(NotConfigured, match="EXTRAS=langchain"):
        split_text(loaded, count_tokens=encoder.count_tokens, max_tokens=60)


def test_a_worker_without_the_library_does_not_start(monkeypatch, capsys):
    monkeypatch.setenv("KYUJANG_SPLITTER", "langchain")
    monkeypatch.setenv("KYUJANG_SERVICE_DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")
    monkeypatch.setitem(sys.modules, "langchain_text_splitters", None)
    assert main(["worker"]) == 1
    assert "EXTRAS=langchain" in capsys.readouterr().err


async def test_the_setting_cuts_a_document_by_it(services, tenant):
    # With this overlap the other splitter's chunks do overlap.
    update = {"splitter": "langchain", "chunk_tokens": 96, "chunk_overlap": 48}
    settings = services.settings.model_copy(update=update)
    text = "".join(KOREAN.replace("163", str(number)) for number in range(100, 120))
    async with Worker(dataclasses.replace(services, settings=settings)):
        await ingest_text(tenant, text, id="annals")
    chunks = (await tenant.get("/documents/annals/chunks")).json()["data"]
    spans = [(chunk["span"]["start"], chunk["span"]["end"]) for chunk in chunks]
    assert len(chunks) > 3
    assert all(stop <= start for (_, stop), (start, _) in pairwise(spans))
