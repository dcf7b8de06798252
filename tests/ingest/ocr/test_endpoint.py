"""Scanned pages through an OpenAI-compatible endpoint that answers as told."""

from __future__ import annotations

import base64
import io

import httpx
import pytest
from PIL import Image

from app.errors import NotConfigured, Unavailable
from app.settings import Settings
from ingest.ocr import endpoint
from ingest.ocr.endpoint import MAX_TOKENS, CannotRead, VisionModel
from ingest.ocr.reader import OcrLimits, OcrReader
from tests.ingest.ocr.scanned import scanned_pdf

MODEL = VisionModel("http://vision/v1", "reads", "secret", 5)
REAL = httpx.AsyncClient


def said(text: str, finish_reason: str = "stop") -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"content": text}, "finish_reason": finish_reason}]})


@pytest.fixture
def answers(monkeypatch):
    """What the endpoint answers, in order, the last for good; and what it was asked."""
    to_give, asked = [], []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        response = to_give.pop(0) if len(to_give) > 1 else to_give[0]
        if isinstance(response, Exception):
            raise response
        return response

    def client(**options):
        return REAL(transport=httpx.MockTransport(answer), **options)

    monkeypatch.setattr(endpoint.httpx, "AsyncClient", client)
    monkeypatch.setattr(endpoint, "RETRY_DELAYS_S", (0, 0))
    return to_give, asked


async def test_the_child_draws_and_the_model_reads(answers, tmp_path):
    to_give, asked = answers
    to_give.append(said("```markdown\n# 규장각\n\n| 구분 | 수량 |\n| --- | --- |\n```"))
    (tmp_path / "scan.pdf").write_bytes(scanned_pdf("ko"))
    async with OcrReader(tmp_path / "scan.pdf", "application/pdf", OcrLimits(2048, 500), MODEL) as opened:
        page = await opened.read(1)
    assert page.text == "# 규장각\n\n| 구분 | 수량 |\n| --- | --- |"
    assert page.words == []
    (request,) = asked
    assert str(request.url) == "http://vision/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret"
    body = httpx.Response(200, content=request.content).json()
    assert (body["model"], body["max_tokens"]) == ("reads", MAX_TOKENS)
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    picture = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    assert picture.format == "PNG"
    assert picture.width > 500


async def test_a_busy_endpoint_is_asked_again(answers):
    to_give, asked = answers
    to_give += [httpx.Response(503), httpx.ConnectError("refused"), said("The gate closes.")]
    assert await MODEL.read("") == "The gate closes."
    assert len(asked) == 3


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(401), httpx.ConnectError("refused")])
async def test_an_endpoint_that_does_not_answer_holds_the_document_up(answers, answer):
    answers[0].append(answer)
    with pytest.raises(Unavailable):
        await MODEL.read("")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"choices": []}),
        said("가 " * 9000, "length"),
        said("x" * (endpoint.MAX_ANSWER_BYTES + 1)),
    ],
    ids=["refused", "no JSON", "no choice", "without end", "too much"],
)
async def test_a_page_that_the_model_does_not_read_is_unreadable(answers, answer):
    answers[0].append(answer)
    with pytest.raises(CannotRead):
        await MODEL.read("")


def test_an_endpoint_needs_the_model_s_name():
    with pytest.raises(NotConfigured):
        Settings(_env_file=None, ocr_url="http://vision/v1")
    assert Settings(_env_file=None, ocr_url="http://vision/v1", ocr_model="reads").ocr_model == "reads"
