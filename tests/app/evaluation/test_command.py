"""python -m app eval against a service on 127.0.0.1: a small corpus of our own, short chunks, the real model."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Literal

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from app.__main__ import main
from app.errors import KyujangError
from app.evaluation.corpus import ingest_corpus
from app.evaluation.metrics import DEPTH, MEASURES
from app.evaluation.questions import BadFile, CorpusDocument
from app.evaluation.report import Report
from app.evaluation.service import search_modes
from app.main import create_app
from app.settings import Settings
from tests.conftest import ADMIN_KEY, EXAMPLES, ROOT
from tests.stack import free_port

TEXTS = {
    "bread": "Knead the dough for ten minutes and let it rise. Bake the loaf at 220 degrees until it is brown.",
    "tyres": "Bicycle tyres lose air. Pump them up to four bar every month, and look for cuts in the rubber.",
    "tea": "Green tea turns bitter in boiling water. Let the kettle cool to 70 degrees, then steep the leaves.",
    "moon": "The Moon goes round the Earth in 27.3 days. Its pull makes the tides of the sea.",
    "bees": "A honey bee colony has one queen. The workers dance to tell each other where flowers are.",
    "kimchi": "배추를 소금에 절인 뒤 고춧가루와 마늘, 젓갈로 양념을 버무린다. 김치는 서늘한 곳에서 익힌다.",
    "subway": "지하철 첫차는 오전 다섯 시 반에 출발하고 막차는 자정 무렵에 끊긴다. 환승은 30분 안에 해야 한다.",
    "hangul": "훈민정음은 1446년에 반포되었다. 세종은 백성이 쉽게 익히도록 스물여덟 글자를 만들었다.",
    "library": "도서관은 월요일에 쉰다. 책은 한 번에 다섯 권까지 두 주 동안 빌릴 수 있다.",
    "volcano": "한라산은 제주도 가운데에 있는 화산이다. 꼭대기에는 백록담이라는 호수가 있다.",
    "ginseng": "인삼은 그늘에서 자라며 여섯 해를 키운 뿌리를 으뜸으로 친다. 쪄서 말린 것을 홍삼이라고 한다.",
}  # fmt: skip
# More chunks about dragons than the ten that a search gives.
TEXTS["dragons"] = " ".join(
    f"Chapter {number} of the saga tells how the dragon of the {place} guards its gold and spits fire at knights."
    for number, place in enumerate(
        ("north", "south", "east", "west", "lake", "hill", "marsh", "coast", "forest", "cave", "tower", "isle"), start=1
    )
)
QUESTIONS = [
    ("How hot should the oven be for a loaf?", ["bread"], "en"),
    ("How often should I pump up bicycle tyres?", ["tyres"], "en"),
    ("Who tells the other bees where flowers are?", ["bees"], "en"),
    ("What does the dragon guard?", ["dragons"], "en"),
    ("도서관은 무슨 요일에 쉬나요?", ["library"], "ko"),
    ("훈민정음은 언제 반포되었나요?", ["hangul"], "ko"),
    ("백록담은 어느 산에 있나요?", ["volcano"], "ko"),
    # It cannot find both of them at rank 1.
    ("김치는 어떻게 만드나요?", ["kimchi", "moon"], "ko"),
]  # fmt: skip


@pytest.fixture(scope="module")
def settings(owner_url, scratch) -> Settings:
    home = scratch / secrets.token_hex(4)
    return Settings(database_url=owner_url, home=home, engine="none", admin_key=ADMIN_KEY, lease_s=2, chunk_tokens=32)


@pytest.fixture(scope="module")
async def url(services, worker):
    port = free_port()
    config = uvicorn.Config(
        create_app(services.settings, services), host="127.0.0.1", port=port, log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval")
    _write(folder / "corpus.jsonl", [{"doc_id": name, "text": text} for name, text in TEXTS.items()])
    rows = [{"text": text, "gold_doc_ids": gold, "lang": lang} for text, gold, lang in QUESTIONS]
    _write(folder / "questions.jsonl", rows)
    return folder


@pytest.fixture(scope="module")
async def measured(new_tenant, url, files):
    """The corpus taken in and asked once; gives what runs the command again for the same tenant."""
    tenant = await new_tenant()
    key = tenant.headers["Authorization"].removeprefix("Bearer ")

    async def evaluate(*arguments):
        return await asyncio.to_thread(main, ["eval", "--url", url, "--key", key, *map(str, arguments)])

    json_file = files / "first.json"
    first = ["--queries", files / "questions.jsonl", "--corpus", files / "corpus.jsonl", "--group-by", "lang"]
    assert await evaluate(*first, "--json", json_file, "--plot", files / "first.png") == 0
    return evaluate


def _write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


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
        ({"gold_sources": ["none.pdf"]}, "no document of 1 gold source ('none.pdf')"),
    ],
)
async def test_unknown_gold_is_counted_and_named(measured, tmp_path, capsys, gold, message):
    path = _write(tmp_path / "q.jsonl", [{"text": "How far is the Moon?", **gold}])
    assert await measured("--queries", path) == 1
    assert message in capsys.readouterr().err


async def test_a_document_that_cannot_be_taken_in_is_named(measured, files, tmp_path, capsys):
    corpus = _write(tmp_path / "c.jsonl", [{"_id": "empty", "text": " "}, {"_id": "bread", "text": TEXTS["bread"]}])
    assert await measured("--queries", files / "questions.jsonl", "--corpus", corpus) == 1
    said = capsys.readouterr()
    assert "empty: empty: " in said.err
    assert "Measured without 1 documents" in said.out


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"doc_id": "no id?!", "text": "a"}, "/documents/0/id"),
        ({"doc_id": "long", "text": "x" * (17 << 20)}, "'long' is larger than 16777216 bytes"),
    ],
)
async def test_a_document_that_the_service_does_not_take_is_named(measured, files, tmp_path, capsys, document, message):
    corpus = _write(tmp_path / "c.jsonl", [document])
    assert await measured("--queries", files / "questions.jsonl", "--corpus", corpus) == 1
    assert message in capsys.readouterr().err


async def test_a_question_that_the_service_does_not_take_is_named(measured, tmp_path, capsys):
    path = _write(tmp_path / "q.jsonl", [{"query_id": "q7", "text": "a" * 20_001, "gold_doc_ids": ["moon"]}])
    assert await measured("--queries", path) == 1
    assert "Question 'q7' was refused with 422: /input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key", "kyu_none_none"], "401: "),
        (["--url", "http://127.0.0.1:9"], "Nothing answers at http://127.0.0.1:9"),
        (["--plot", "no/such/folder.png"], "no folder no/such"),
        (["--plot", "plot.jpg3"], "a plot is written as .png"),
        (["--compare", "README.md"], "README.md is no report"),
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
