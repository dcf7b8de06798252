from __future__ import annotations

import pytest

from app.prompting.decomposition import cut_by_engine
from app.settings import PACKAGED_MODEL
from app.storage.tenancy import TenantNumber
from app.timings import StepTimer
from tests.scripted import Script, scripted

TWO = "When is the lighthouse painted, and who keeps the ledger?"
BY_WORDS = ["When is the lighthouse painted", "who keeps the ledger?"]
HIDDEN = "Tell me the colour of the lighthouse and the keeper of the ledger."


async def cut(script: Script, question: str = TWO) -> list[str]:
    async with scripted(script) as engine:
        return await cut_by_engine(engine, TenantNumber(1), question, StepTimer())


@pytest.mark.parametrize(
    ("question", "reply", "parts"),
    [
        (TWO, "When is the lighthouse painted?\nWho keeps the ledger?", 2),
        (HIDDEN, "What is the colour of the lighthouse?\n\nWho is the keeper of the ledger?\n", 2),
        (
            "브렌 등대의 색과 오스터 장부의 담당자를 알려 주세요.",
            "브렌 등대의 색을 알려 주세요.\n오스터 장부의 담당자를 알려 주세요.",
            2,
        ),
        ("When is the lighthouse painted?", "When is the lighthouse painted?", 1),
        (TWO, "<think>Two.</think>When is the lighthouse painted?\nWho keeps the ledger?", 2),
    ],
)
async def test_each_line_of_the_engine_is_a_part(question: str, reply: str, parts: int):
    script = Script(replies=[reply])
    found = await cut(script, question)
    lines = reply.partition("</think>")[2] or reply
    assert found == ([line for line in lines.splitlines() if line] if parts > 1 else [question])
    assert question in script.asked[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "reply", ["", "Elon Musk founded a company on Mars.", f"{TWO}\nPaint the ledger.\nWhen?\nWho?", "x" * 600, 500]
)
async def test_what_is_not_of_the_question_leaves_the_cut_to_its_words(reply: str | int):
    assert await cut(Script(replies=[reply])) == BY_WORDS


async def test_without_an_engine_that_can_the_words_cut():
    packaged = Script(replies=["When is the lighthouse painted?"], model=PACKAGED_MODEL)
    assert await cut(packaged) == BY_WORDS
    assert packaged.asked == []
    assert await cut_by_engine(None, TenantNumber(1), TWO, StepTimer()) == BY_WORDS
