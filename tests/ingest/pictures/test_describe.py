"""Pictures in documents, described by a model that answers as told."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import io
import json

import httpx
import pytest
from PIL import Image

from ingest.jobs.queue import TurnOver
from ingest.ocr import endpoint
from ingest.pictures import describe
from tests.ingest.pictures.documents import BLUE, RED, docx, html, png
from tests.ingest.working import Worker, rows, until

pytestmark = pytest.mark.usefixtures("nothing_queued")

REAL = httpx.AsyncClient
LIGHTHOUSE = "빨간 등대가 바위 위에 서 있다."
SAID = f"[모델이 만든 설명: {LIGHTHOUSE}]"
COLOURS = {(255, 0, 0): RED, (0, 0, 255): BLUE}


class Model:
    """`says` what it says of a picture of a colour, or the status that it answers with. At `hold` it waits."""

    def __init__(self) -> None:
        self.says: dict[str, str | int] = {RED: LIGHTHOUSE, BLUE: ""}
        self.asked: list[str] = []
        self.prompts: list[str] = []
        self.hold: str | None = None
        self.go_on = asyncio.Event()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        prompt, picture = json.loads(request.content)["messages"][0]["content"]
        data = picture["image_url"]["url"].removeprefix("data:image/png;base64,")
        colour = COLOURS[Image.open(io.BytesIO(base64.b64decode(data))).getpixel((9, 9))]
        self.asked.append(colour)
        self.prompts.append(prompt["text"])
        if colour == self.hold:
            await self.go_on.wait()
        said = self.says[colour]
        if isinstance(said, int):
            return httpx.Response(said)
        return httpx.Response(200, json={"choices": [{"message": {"content": said}, "finish_reason": "stop"}]})


@pytest.fixture
def model(monkeypatch):
    made = Model()
    transport = httpx.MockTransport(made.answer)
    monkeypatch.setattr(endpoint.httpx, "AsyncClient", lambda **more: REAL(**{"transport": transport, **more}))
    monkeypatch.setattr(endpoint, "RETRY_DELAYS_S", ())
    return made


@pytest.fixture
def describing(services):
    update = {"ocr_url": "http://vision/v1", "ocr_model": "sees", "describe_pictures": True}
    return dataclasses.replace(services, settings=services.settings.model_copy(update=update))


async def ingested(client, content: bytes, name="a.docx") -> dict:
    job = (await client.post("/ingest", files={"file": (name, content)}, data={"id": "a"})).json()
    return (await until(client, job["id"], "succeeded", "failed"))["documents"][0]


async def text_of(client) -> str:
    return (await client.get("/documents/a/text")).json()["text"]


async def test_what_the_model_says_stands_where_the_picture_does(describing, model, new_tenant, owner_url):
    client = await new_tenant()
    async with Worker(describing):
        item = await ingested(client, docx("항구 안내", RED, "다음 단락", BLUE, "끝", RED))
    assert (item["status"], item["warnings"]) == ("succeeded", [])
    assert (await text_of(client)).split("\n\n") == ["항구 안내", SAID, "다음 단락", "끝", SAID]
    # The same picture is asked about once.
    assert model.asked == [RED, BLUE]
    assert set(model.prompts) == {describe.PROMPTS["ko"]}
    found = (await client.post("/search", json={"input": "빨간 등대", "mode": "lexical"})).json()["contexts"]
    assert [context["document_id"] for context in found] == ["a"]
    assert rows(owner_url, "select count(*) from staged_pages") == [(0,)]


async def test_an_english_page_is_described_in_english(describing, model, new_tenant):
    client = await new_tenant()
    model.says[RED] = "A red\nlighthouse."
    async with Worker(describing):
        await ingested(client, html("The harbour", "The end"), "a.html")
    assert (await text_of(client)).split("\n\n")[1] == "[Description made by a model: A red lighthouse.]"
    assert model.prompts == [describe.PROMPTS["en"]]


async def test_an_endpoint_that_fails_costs_the_descriptions_alone(describing, model, new_tenant):
    client = await new_tenant()
    model.says |= {RED: 503}
    async with Worker(describing):
        item = await ingested(client, docx("항구 안내", RED, "끝", BLUE))
    assert item["status"] == "succeeded"
    assert [warning["code"] for warning in item["warnings"]] == ["picture_without_text"]
    assert "KYUJANG_OCR_URL" in item["warnings"][0]["detail"]
    assert await text_of(client) == "항구 안내\n\n끝"
    # It is down: the other picture is not sent.
    assert model.asked == [RED]


async def test_pictures_that_cannot_be_drawn_are_told_of(describing, model, new_tenant):
    client = await new_tenant()
    pictures = {"cut": png(RED)[:60], "small": png(RED, 16), "refused": png(BLUE)}
    model.says[BLUE] = 400
    async with Worker(describing):
        item = await ingested(client, docx("항구 안내", *pictures, pictures=pictures))
    assert [warning["detail"] for warning in item["warnings"]] == [
        "Pictures that are not described: 1. They are damaged, or of a kind that is not drawn.",
        "Pictures that are not described: 1. The OCR endpoint refused the page with 400.",
    ]
    assert model.asked == [BLUE]


async def test_a_worker_that_stops_leaves_its_descriptions(describing, model, new_tenant):
    client = await new_tenant()
    model.hold = BLUE
    job = (await client.post("/ingest", files={"file": ("a.docx", docx("항구", RED, BLUE))}, data={"id": "a"})).json()
    async with Worker(describing), asyncio.timeout(60):
        while model.asked != [RED, BLUE]:
            await asyncio.sleep(0.05)
    model.go_on.set()
    async with Worker(describing):
        await until(client, job["id"], "succeeded")
    assert model.asked == [RED, BLUE, BLUE]
    assert await text_of(client) == f"항구\n\n{SAID}"


async def test_a_document_gives_its_lane_up_between_two_pictures(describing, model, new_tenant, monkeypatch):
    client = await new_tenant()
    waiting = [True]

    async def give_way(*_):
        if waiting:
            waiting.pop()
            raise TurnOver

    monkeypatch.setattr("ingest.pipeline.TURN_S", -1)
    monkeypatch.setattr("ingest.jobs.queue.give_way", give_way)
    async with Worker(describing):
        item = await ingested(client, docx("항구", RED, BLUE))
    assert item["status"] == "succeeded"
    assert model.asked == [RED, BLUE]
