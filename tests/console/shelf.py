"""A harbour's shelf in both languages, with something on every screen of the console."""

from __future__ import annotations

import httpx

from app.adapters import registry
from app.services import Services
from app.storage.blobs import Blob
from app.storage.tenants import SCOPES, tenant_by_slug
from tests.conftest import ADMIN_KEY, NewTenant, ingest_text

NOTICE = {
    "en": [
        "Harbour regulations",
        "The ferry to the island leaves at seven in the morning.",
        "Dogs travel on the upper deck.",
        "The lamp of the pier is lit at dusk by the keeper.",
        "In fog the bell rings every two minutes.",
        "Tickets are sold until ten minutes before departure.",
    ],
    "ko": [
        "항구 규칙",
        "섬으로 가는 배는 아침 일곱 시에 떠난다.",
        "개는 위층 갑판에 탄다.",
        "부두의 등대는 해가 지면 등대지기가 켠다.",
        "안개가 끼면 종이 이 분마다 울린다.",
        "표는 떠나기 십 분 전까지 판다.",
    ],
}
QUESTION = {"en": "When is the lamp of the pier lit?", "ko": "부두의 등대는 언제 켜나요?"}
MORE = {
    "en": {"Fees of the moorings": "A mooring costs 30 euros a night.", "Library hours": "The library opens at nine."},
    "ko": {"정박 요금": "하룻밤 정박은 삼만 원이다.", "도서관 시간": "도서관은 아홉 시에 연다."},
}


# So that the map has groups: what is said of each thing of a subject.
SUBJECTS = {
    "en": {"boats": ("The {} is tied up at the pier.", "ferry tug barge yacht raft canoe"),
           "books": ("The {} stands on the second shelf.", "atlas novel diary bible lexicon score"),
           "meals": ("The {} is served with bread at noon.", "soup stew salad roast omelette curry")},
    "ko": {"boats": ("{}은 부두에 매여 있다.", "여객선 예인선 화물선 어선 범선 유람선"),
           "books": ("{}은 둘째 서가에 꽂혀 있다.", "지도책 소설책 일기장 경전 사전 시집"),
           "meals": ("{}은 점심에 빵과 함께 나온다.", "국밥 비빔밥 볶음밥 갈비찜 된장국 달걀찜")},
}  # fmt: skip
PERSONAS = {
    "en": ("You keep the harbour's books.", "You keep the harbour's books. Name the hour first."),
    "ko": ("항구의 장부를 맡고 있습니다.", "항구의 장부를 맡고 있습니다. 시각을 먼저 말합니다."),
}


async def printed(browser, lines: list[str]) -> bytes:
    """Return a PDF with the glyphs of its letters."""
    page = await browser.new_page()
    await page.set_content("<style>p { font: 22px sans-serif }</style>" + "".join(f"<p>{line}</p>" for line in lines))
    file = await page.pdf(format="A4", margin={"top": "1cm", "left": "2cm"})
    await page.close()
    return file


async def tenant_with(browser, new_tenant: NewTenant, language: str) -> tuple[httpx.AsyncClient, str]:
    """Return a client and the id of an evaluation."""
    client, lines = await new_tenant(f"harbour-{language}", SCOPES), NOTICE[language]
    file = ("harbour.pdf", await printed(browser, lines))
    answer = await client.post("/ingest?wait=60", files={"file": file}, data={"id": "harbour.pdf"})
    assert answer.json()["status"] == "succeeded"
    await client.patch("/documents/harbour.pdf", json={"title": lines[0]})
    for number, (title, text) in enumerate(MORE[language].items()):
        await ingest_text(client, text, id=f"notice-{number}", title=title)
    known = {"documents": ["harbour.pdf"], "expected": lines[1:]}
    cases = [{"input": each, **known} for each in (QUESTION[language], *lines[4:], *MORE[language])]
    cases.append({"input": "Who painted the chapel?", "answerable": False})
    run = await client.post("/evaluations?wait=60", json={"cases": cases, "compare": [{}, {"mode": "lexical"}]})
    return client, run.json()["id"]


async def keep_more(client: httpx.AsyncClient, services: Services, language: str) -> None:
    """Add prompts, an adapter, a webhook and limits, and a key that sees a part."""
    tenant = f"harbour-{language}"
    for persona in PERSONAS[language]:
        await client.put("/prompts/desk", json={"persona": persona})
    number = (await tenant_by_slug(services.database, tenant)).number
    await registry.create_version(services.database, number, "tone", Blob(f"{number}/none", 1, b"tone"))
    await registry.set_status(services.database, number, "tone", 1, "ready")
    await client.post("/webhooks", json={"url": "https://hooks.example/harbour"})
    operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
    limits = {"limits": {"documents": 1_000, "requests_per_minute": 600}}
    part = {"scopes": ["query"], "only": {"key": "collection", "op": "eq", "value": "boats"}}
    async with httpx.AsyncClient(transport=client._transport, base_url="http://kyujang", headers=operator) as keeper:
        (await keeper.patch(f"/tenants/{tenant}", json=limits)).raise_for_status()
        (await keeper.post(f"/tenants/{tenant}/keys", json=part)).raise_for_status()


async def fill_the_map(client: httpx.AsyncClient, language: str) -> None:
    for name, (said, things) in SUBJECTS[language].items():
        await client.post("/collections", json={"id": name})
        texts = [said.format(each) for each in things.split()]
        documents = [{"id": f"{name}-{number}", "text": text, "collection": name} for number, text in enumerate(texts)]
        sent = await client.post("/ingest?wait=60", json={"documents": documents})
        assert sent.json()["status"] == "succeeded", sent.text
