"""A service on 127.0.0.1 with a small corpus of our own, short chunks, the real model."""

from __future__ import annotations

import asyncio
import json
import secrets

import pytest
import uvicorn

from app.__main__ import main
from app.main import create_app
from app.settings import Settings
from tests.conftest import ADMIN_KEY
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
    write_lines(folder / "corpus.jsonl", [{"doc_id": name, "text": text} for name, text in TEXTS.items()])
    rows = [{"text": text, "gold_doc_ids": gold, "lang": lang} for text, gold, lang in QUESTIONS]
    write_lines(folder / "questions.jsonl", rows)
    return folder


@pytest.fixture(scope="module")
async def tenant_client(new_tenant):
    return await new_tenant()


@pytest.fixture(scope="module")
async def measured(tenant_client, url, files):
    """The corpus taken in and asked once; gives what runs the command again for the same tenant."""
    key = tenant_client.headers["Authorization"].removeprefix("Bearer ")

    async def evaluate(*arguments):
        return await asyncio.to_thread(main, ["eval", "--url", url, "--key", key, *map(str, arguments)])

    json_file = files / "first.json"
    first = ["--queries", files / "questions.jsonl", "--corpus", files / "corpus.jsonl", "--group-by", "lang"]
    assert await evaluate(*first, "--json", json_file, "--plot", files / "first.png") == 0
    return evaluate


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
