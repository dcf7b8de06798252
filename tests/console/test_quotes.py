"""Twenty questions in two languages over files of four formats: what lies under the mark is the quote."""

from __future__ import annotations

import asyncio
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import NewTenant
from tests.console.keys import key_of
from tests.ingest.made import MAKERS, Content

if TYPE_CHECKING:
    from playwright.async_api import Response

BOXES = re.compile(r"/pages/(\d+)/boxes")
FORMATS = ("pdf", "docx", "hwpx", "xlsx")
FACTS = {
    "en": [
        ("The bell of the north gate rings at five.", "When does the bell of the north gate ring?"),
        ("The orchard sells its pears in October.", "When does the orchard sell its pears?"),
        ("The ferryman keeps the oars in the shed.", "Where does the ferryman keep the oars?"),
        ("The mill grinds barley on Thursdays.", "When does the mill grind barley?"),
        ("The archive lends no maps to visitors.", "Does the archive lend maps to visitors?"),
        ("The well behind the chapel is forty feet deep.", "How deep is the well behind the chapel?"),
        ("The baker fires the oven with beech wood.", "What does the baker fire the oven with?"),
        ("The schoolmaster lives above the post office.", "Where does the schoolmaster live?"),
        ("The bridge was rebuilt after the flood of 1911.", "When was the bridge rebuilt?"),
        ("The night watch carries two lanterns.", "How many lanterns does the night watch carry?"),
    ],
    "ko": [
        ("북문의 종은 다섯 시에 울린다.", "북문의 종은 언제 울리나요?"),
        ("과수원은 시월에 배를 판다.", "과수원은 언제 배를 파나요?"),
        ("사공은 노를 헛간에 둔다.", "사공은 노를 어디에 두나요?"),
        ("방앗간은 목요일에 보리를 찧는다.", "방앗간은 언제 보리를 찧나요?"),
        ("기록관은 방문객에게 지도를 빌려주지 않는다.", "기록관은 방문객에게 지도를 빌려주나요?"),
        ("예배당 뒤의 우물은 깊이가 열두 미터이다.", "예배당 뒤의 우물은 깊이가 얼마인가요?"),
        ("빵집은 화덕에 참나무를 땐다.", "빵집은 화덕에 무엇을 때나요?"),
        ("훈장은 우체국 위층에 산다.", "훈장은 어디에 사나요?"),
        ("다리는 1911년 홍수 뒤에 다시 놓였다.", "다리는 언제 다시 놓였나요?"),
        ("야경꾼은 등불 두 개를 들고 다닌다.", "야경꾼은 등불을 몇 개 들고 다니나요?"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("language", FACTS)
async def test_what_lies_under_the_mark_is_the_quote(visit, new_tenant: NewTenant, tmp_path, language):
    client = await new_tenant()
    for number, (fact, _) in enumerate(FACTS[language]):
        name = f"{number}.{FORMATS[number % len(FORMATS)]}"
        content = MAKERS[name[2:]](Content(f"No. {number}", "…", [["No.", str(number)]], fact))
        (tmp_path / name).write_bytes(content)
        sent = await client.post("/ingest?wait=60", files={"file": (name, content)}, data={"id": name})
        assert sent.json()["status"] == "succeeded"
    async with visit(language, key_of(client)) as page:
        for number, (fact, question) in enumerate(FACTS[language]):
            await page.locator("nav a").first.click()
            await page.locator("#question").fill(question)
            await page.locator("#question").press("Enter")
            await page.locator("q").first.wait_for()
            quote = await page.locator("q").first.inner_text()
            assert fact in quote
            if FORMATS[number % len(FORMATS)] == "pdf":
                async with page.expect_response(BOXES) as answered:
                    await page.locator("a.source").first.click()
                await page.locator(".sheet .box").first.wait_for()
                assert fact in await under_the_boxes(await answered.value, tmp_path / f"{number}.pdf")
                await page.locator(".views button").nth(1).click()
            else:
                await page.locator("a.source").first.click()
            assert await page.locator("mark").inner_text() == quote
            await page.locator("nav a").first.click()
            await page.locator("button.quiet", has_text={"en": "New conversation", "ko": "새 대화"}[language]).click()


async def under_the_boxes(answer: Response, file: Path) -> str:
    """What poppler reads where the service says that the quote stands."""
    found = BOXES.search(answer.url)
    assert found is not None
    number, read = found[1], list[str]()
    for box in (await answer.json())["boxes"]:
        place = ["-x", math.floor(box["x"]), "-y", math.floor(box["y"])]
        size = ["-W", math.ceil(box["width"]) + 1, "-H", math.ceil(box["height"]) + 1]
        words = ["-r", 72, "-f", number, "-l", number, *place, *size, file, "-"]
        read.append(await asyncio.to_thread(subprocess.check_output, ["pdftotext", *map(str, words)], text=True))
    return " ".join(" ".join(read).split())


pytestmark = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="an independent reader of PDFs is missing: apt-get install poppler-utils"
)
