"""python -m app eval against a service on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
from typing import Literal

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from app.__main__ import main
from app.errors import KyujangError
from app.evaluation.corpus import ingest_corpus
from app.evaluation.metrics import DEPTH, MEASURES
from app.evaluation.questions import BadFile, CorpusDocument
from app.evaluation.report import Report
from app.evaluation.service import search_modes
from tests.app.evaluation.conftest import QUESTIONS, TEXTS, write_lines
from tests.conftest import EXAMPLES, ROOT


async def test_what_is_found_is_what_the_questions_ask_for(measured, files):
    report = Report.model_validate_json((files / "first.json").read_bytes())
    (mode,) = report.modes.values()
    assert [result.ranking[0] for result in mode.queries] == [gold[0] for _, gold, _ in QUESTIONS]
    assert {name: mode.groups["en"].measures[name].mean for name in MEASURES} == dict.fromkeys(MEASURES, 1.0)
    korean = mode.groups["ko"].measures
    assert (korean["recall@1"].mean, korean["MRR@10"].mean) == ((3 + 1 / 2) / 4, 1.0)
    assert 0 < mode.latency_ms.p50 <= mode.latency_ms.p95
    assert (files / "first.png").read_bytes().startswith(b"\x89PNG")


async def test_ten_documents_are_ranked_though_ten_chunks_are_of_fewer(measured, files):
    """The first ten chunks about dragons are one document's."""
    report = Report.model_validate_json((files / "first.json").read_bytes())
    (mode,) = report.modes.values()
    dragons = next(result for result in mode.queries if result.gold == ["dragons"])
    assert len(set(dragons.ranking)) == len(dragons.ranking) == DEPTH
    assert not any(result.cut for result in mode.queries)


async def test_the_same_again_is_unchanged_and_compared(measured, files, capsys):
    earlier = files / "first.json"
    again = ["--queries", files / "questions.jsonl", "--corpus", files / "corpus.jsonl", "--json", files / "again.json"]
    assert await measured(*again, "--compare", earlier, "--clients", "2") == 0
    report = Report.model_validate_json((files / "again.json").read_bytes())
    assert report.comparison
    (change,) = report.comparison.modes.values()
    assert (change.queries, change.measures["nDCG@10"].low, change.measures["nDCG@10"].high) == (8, 0, 0)
    printed = capsys.readouterr().out
    assert "Change since first.json" in printed
    assert "(8)" in printed


async def test_the_examples_are_found_by_the_names_of_their_files(new_tenant, url, tmp_path, capsys):
    tenant = await new_tenant()
    uploads = [("file", (path.name, path.read_bytes())) for path in sorted(EXAMPLES.iterdir())]
    assert (await tenant.post("/ingest?wait=60", files=uploads)).json()["status"] == "succeeded"
    key = tenant.headers["Authorization"].removeprefix("Bearer ")
    questions = ROOT / "tests" / "examples" / "questions.jsonl"
    arguments = ["eval", "--url", url, "--key", key, "--queries", str(questions), "--json", str(tmp_path / "r.json")]
    assert await asyncio.to_thread(main, arguments) == 0
    (mode,) = Report.model_validate_json((tmp_path / "r.json").read_bytes()).modes.values()
    # Six documents in all: each question must have all of them ranked, thus its own.
    assert mode.overall.measures["recall@10"].mean == 1
    assert mode.overall.measures["recall@1"].mean > 0.8
    await tenant.post("/ingest?wait=60", files=[("file", ("returns-policy.md", b"Another one."))])
    assert await asyncio.to_thread(main, arguments) == 1
    assert "1 gold source ('returns-policy.md'): several documents" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ({"gold_doc_ids": ["moon", "없음", "nothing/here"]}, "2 gold document ids ('nothing/here', '없음') of 3"),
        ({"gold_doc_ids": ["moon/chunks", "x" * 513]}, "2 gold document ids ('moon/chunks', 'xxx"),
        ({"gold_sources": ["none.pdf"]}, "no document of 1 gold source ('none.pdf')"),
    ],
)
async def test_unknown_gold_is_counted_and_named(measured, tmp_path, capsys, gold, message):
    path = write_lines(tmp_path / "q.jsonl", [{"text": "How far is the Moon?", **gold}])
    assert await measured("--queries", path) == 1
    assert message in capsys.readouterr().err


async def test_a_document_that_cannot_be_taken_in_is_named(measured, files, tmp_path, capsys):
    corpus = write_lines(
        tmp_path / "c.jsonl", [{"_id": "empty", "text": " "}, {"_id": "bread", "text": TEXTS["bread"]}]
    )
    assert await measured("--queries", files / "questions.jsonl", "--corpus", corpus) == 1
    said = capsys.readouterr()
    assert "empty: empty: " in said.err
    assert "Measured without 1 documents" in said.out


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"doc_id": "no\x07id", "text": "a"}, "/documents/0/id"),
        ({"doc_id": "long", "text": "x" * (17 << 20)}, "'long' is larger than 16777216 bytes"),
    ],
)
async def test_a_document_that_the_service_does_not_take_is_named(measured, files, tmp_path, capsys, document, message):
    corpus = write_lines(tmp_path / "c.jsonl", [document])
    assert await measured("--queries", files / "questions.jsonl", "--corpus", corpus) == 1
    assert message in capsys.readouterr().err


async def test_a_question_that_the_service_does_not_take_is_named(measured, tmp_path, capsys):
    path = write_lines(tmp_path / "q.jsonl", [{"query_id": "q7", "text": "a" * 20_001, "gold_doc_ids": ["moon"]}])
    assert await measured("--queries", path) == 1
    assert "Question 'q7' was refused with 422: /input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key", "kyu_none_none"], "401: "),
        (["--url", "http://127.0.0.1:9"], "Nothing answers at http://127.0.0.1:9"),
        (["--plot", "no/such/folder.png"], "no folder no/such"),
        (["--plot", "plot.jpg3"], "a plot is written as .png"),
        (["--compare", "README.md"], "README.md was not written by"),
        (["--modes", "telepathic"], "This service"),
    ],
)
async def test_what_stands_in_the_way_is_said(measured, files, capsys, arguments, message):
    assert await measured("--queries", files / "questions.jsonl", *arguments) == 1
    assert message in capsys.readouterr().err


class SearchBody(BaseModel):
    input: str
    mode: Literal["dense", "lexical", "hybrid"] = "hybrid"


@pytest.fixture
def with_modes():
    """A service that knows modes, as far as its description goes."""
    app = FastAPI()

    @app.post("/search")
    def search(body: SearchBody) -> None: ...

    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=app.openapi()))
    with httpx.Client(transport=transport, base_url="http://kyujang") as client:
        yield client


def test_modes_are_those_that_the_service_describes(with_modes):
    (own,) = search_modes(with_modes, [])
    assert (own.name, own.fields) == ("hybrid", {})
    assert [mode.fields for mode in search_modes(with_modes, ["lexical", "dense"])] == [
        {"mode": "lexical"},
        {"mode": "dense"},
    ]
    with pytest.raises(KyujangError, match="no mode sparse; it has dense, lexical, hybrid"):
        search_modes(with_modes, ["dense", "sparse"])


def test_batches_stay_within_the_service_s_limit():
    """Hangul counts as the bytes it is sent in."""
    sent = []

    def answer(request):
        if request.method == "GET":
            size = len(json.loads(sent[-1])["documents"])
            counts = {"total": size, "queued": 0, "running": 0}
            return httpx.Response(200, json={"status": "succeeded", "counts": counts, "documents": []})
        sent.append(request.content)
        return httpx.Response(202, json={"id": "job_1"})

    documents = [CorpusDocument(doc_id=str(number), text="글" * 100) for number in range(450)]
    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://kyujang") as client:
        assert ingest_corpus(client, documents, {"max_json_bytes": 10_000}) == []
        assert max(map(len, sent)) <= 10_000
        assert min(map(len, sent[:-1])) > 9_000
        assert sum(len(json.loads(body)["documents"]) for body in sent) == 450
        sent.clear()
        ingest_corpus(client, documents, {"max_json_bytes": 1 << 20})
        assert [len(json.loads(body)["documents"]) for body in sent] == [200, 200, 50]
        with pytest.raises(BadFile, match="larger than 200 bytes"):
            ingest_corpus(client, documents, {"max_json_bytes": 200})
