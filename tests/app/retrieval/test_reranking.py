"""A real cross-encoder (tiny, untrained: its order is its own), a real HTTP endpoint, and both behind the routes."""

from __future__ import annotations

import dataclasses
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from app.embedding.packaged.folder import packaged_folder
from app.errors import NotConfigured, RerankerUnavailable
from app.main import create_app
from app.retrieval import reordering
from app.retrieval.reranking import CrossEncoderReranker, EndpointReranker, OnnxReranker, open_reranker
from app.retrieval.search import Retriever
from app.settings import Settings
from tests import onnx_models

TEXTS = [
    "The museum closes at six.",
    "열람실은 월요일에 쉽니다.",
    "Parking costs two coins.",
    "정원은 늘 열려 있습니다.",
]
QUESTION = "When does the museum close?"


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    """A BERT of one layer over the packaged model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(packaged_folder(models))
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_labels=1, initializer_range=1.0, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    made = tmp_path_factory.mktemp("cross-encoder")
    BertForSequenceClassification(config).save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


@pytest.fixture(scope="module")
async def cross_encoder(folder):
    reranker = CrossEncoderReranker(str(folder), Settings())
    yield reranker
    await reranker.close()


async def test_a_cross_encoder_s_scores_do_not_depend_on_their_company(cross_encoder):
    together = await cross_encoder.scores(QUESTION, TEXTS)
    alone = [(await cross_encoder.scores(QUESTION, [text]))[0] for text in TEXTS]
    assert together == pytest.approx(alone, abs=1e-4)
    assert len({round(score, 4) for score in together}) == len(TEXTS)
    assert together != pytest.approx(await cross_encoder.scores("주차 요금은 얼마인가요?", TEXTS), abs=1e-4)


def test_what_is_no_cross_encoder_is_refused(tmp_path, folder):
    with pytest.raises(NotConfigured, match="KYUJANG_RERANKER"):
        CrossEncoderReranker(str(tmp_path / "nothing"), Settings())
    assert open_reranker(Settings()) is None


WEIGHTS = {"museum": 1.5, "six": 2.0, "coins": -1.0, "정원은": 0.5}


@pytest.mark.parametrize("below", ["", "onnx"])
async def test_a_folder_of_onnx_runtime_ranks_without_torch(tmp_path, below):
    made = onnx_models.cross_encoder(tmp_path / "made", WEIGHTS)
    if below:
        (made / below).mkdir()
        (made / "model.onnx").rename(made / below / "model_quantized.onnx")
    reranker = open_reranker(Settings(reranker=str(made), embed_batch=2))
    assert isinstance(reranker, OnnxReranker)
    assert await reranker.scores(QUESTION, TEXTS) == [3.5, 0.0, -1.0, 0.5]
    # The longer text is cut, whichever it is.
    long_text, long_question = "coins " * 5000, "museum " * 5000
    assert (await reranker.scores(QUESTION, [long_text]))[0] < -400
    assert await reranker.scores(long_question, ["six six"]) == [4.0]
    await reranker.close()


@pytest.mark.parametrize("fault", ["two labels", "no tokenizer", "damaged"])
def test_a_folder_that_onnx_runtime_cannot_rank_with_is_refused(tmp_path, fault):
    made = onnx_models.cross_encoder(tmp_path / "made", WEIGHTS, labels=2 if fault == "two labels" else 1)
    if fault == "no tokenizer":
        (made / "tokenizer.json").unlink()
    if fault == "damaged":
        (made / "model.onnx").write_bytes(b"none")
    with pytest.raises(NotConfigured, match="KYUJANG_RERANKER"):
        open_reranker(Settings(reranker=str(made)))


async def test_a_score_that_is_no_number_is_none(tmp_path):
    reranker = open_reranker(Settings(reranker=str(onnx_models.cross_encoder(tmp_path, {"museum": float("nan")}))))
    with pytest.raises(RerankerUnavailable, match="no number"):
        await reranker.scores(QUESTION, TEXTS)
    await reranker.close()


async def test_unasked_the_first_hits_change_places_and_tell_both_scores(services, shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(reordering, "FIRST_TIMEOUT_S", 60)
    reranker = OnnxReranker(onnx_models.cross_encoder(tmp_path, {"coins": 9.0}), Settings())
    plain = (await shelf.post("/search", json={"input": QUESTION})).json()["contexts"]
    own = {each["text"]: each["score"] for each in plain}
    async with with_reranker(services, shelf, reranker) as client:
        first, *rest = (await client.post("/search", json={"input": QUESTION})).json()["contexts"]
        assert (first["text"], first["rerank_score"]) == (TEXTS[2], 9.0)
        assert {each["text"]: each["score"] for each in (first, *rest)} == own
        answer = (await client.post("/query", json={"input": QUESTION, "top_k": 1})).json()
        assert [each["text"] for each in answer["contexts"]] == [TEXTS[2]]
        off = (await client.post("/search", json={"input": QUESTION, "rerank": False})).json()["contexts"]
        assert off == plain
    assert {each["rerank_score"] for each in plain} == {None}
    await reranker.close()


class Endpoint:
    """vLLM's answer: best first, with the documents."""

    def __init__(self) -> None:
        self.status = 200
        self.drop = 0
        self.bodies: list[dict] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.bodies.append({**body, "path": self.path, "key": self.headers["authorization"]})
                results = [
                    {"index": n, "document": {"text": text}, "relevance_score": -len(text)}
                    for n, text in enumerate(body["documents"])
                ]
                results.sort(key=lambda each: -each["relevance_score"])
                data = json.dumps({"id": "r", "model": "m", "results": results[endpoint.drop :]}).encode()
                self.send_response(endpoint.status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def endpoint():
    served = Endpoint()
    yield served
    served.server.shutdown()
    served.server.server_close()


async def test_an_endpoint_s_scores_come_back_in_the_order_of_the_texts(endpoint):
    settings = Settings(reranker="bge", reranker_url=endpoint.url, reranker_key="secret")
    reranker = open_reranker(settings)
    assert await reranker.scores(QUESTION, TEXTS) == [-len(text) for text in TEXTS]
    (body,) = endpoint.bodies
    assert (body["path"], body["key"], body["model"], body["query"]) == ("/v1/rerank", "Bearer secret", "bge", QUESTION)
    await reranker.close()


async def test_an_endpoint_that_fails_is_unavailable(endpoint):
    reranker = EndpointReranker(endpoint.url, key=None, model=None)
    endpoint.drop = 1
    with pytest.raises(RerankerUnavailable, match="a score for each"):
        await reranker.scores(QUESTION, TEXTS)
    endpoint.status = 500
    with pytest.raises(RerankerUnavailable, match="500"):
        await reranker.scores(QUESTION, TEXTS)
    await reranker.close()
    gone = EndpointReranker("http://127.0.0.1:9", key=None, model=None)
    with pytest.raises(RerankerUnavailable, match="cannot be reached"):
        await gone.scores(QUESTION, TEXTS)
    await gone.close()


@pytest.fixture
async def shelf(tenant, worker):
    documents = [{"id": f"d{n}", "text": text} for n, text in enumerate(TEXTS)]
    job = (await tenant.post("/ingest?wait=60", json={"documents": documents})).json()
    assert job["status"] == "succeeded", job
    return tenant


def with_reranker(services, client, reranker) -> httpx.AsyncClient:
    retriever = Retriever(
        services.database, services.spaces, services.analyzer, reranker, services.settings.dense_weight
    )
    app = create_app(services.settings, services)
    app.state.services = dataclasses.replace(services, retriever=retriever)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=client.headers)


async def test_without_a_reranker_asking_for_it_is_an_error_that_says_what_to_do(shelf):
    for path in ("/search", "/query"):
        refused = await shelf.post(path, json={"input": QUESTION, "rerank": True})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/rerank"
        assert "KYUJANG_RERANKER" in refused.json()["detail"]


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
async def test_the_cross_encoder_decides_the_order(services, shelf, cross_encoder, mode):
    scores = dict(zip(TEXTS, await cross_encoder.scores(QUESTION, TEXTS), strict=True))
    wanted = sorted(TEXTS, key=lambda text: -scores[text])
    async with with_reranker(services, shelf, cross_encoder) as client:
        body = {"input": QUESTION, "rerank": True, "mode": mode}
        answer = (await client.post("/search", json=body)).json()
        assert [each["text"] for each in answer["contexts"]] == wanted
        assert [each["score"] for each in answer["contexts"]] == pytest.approx(
            [scores[each] for each in wanted], abs=1e-4
        )
        assert answer["timings_ms"]["rerank"] > 0
        (best,) = (await client.post("/search", json={**body, "top_k": 1})).json()["contexts"]
        assert best["text"] == wanted[0]
        floor = (scores[wanted[0]] + scores[wanted[1]]) / 2
        kept = (await client.post("/search", json={**body, "min_score": floor})).json()["contexts"]
        assert [each["text"] for each in kept] == [wanted[0]]
        plain = (await client.post("/search", json={**body, "rerank": False})).json()
        assert plain["timings_ms"]["rerank"] == 0


async def test_a_reranker_that_is_down_is_503_and_searching_without_it_goes_on(services, shelf):
    async with with_reranker(services, shelf, EndpointReranker("http://127.0.0.1:9", key=None, model=None)) as client:
        refused = await client.post("/search", json={"input": QUESTION, "rerank": True})
        assert (refused.status_code, refused.json()["code"]) == (503, "reranker_unavailable")
        assert (await client.post("/search", json={"input": QUESTION})).status_code == 200
