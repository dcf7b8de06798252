"""What a conversation's question is searched for, with an engine that says what it is told to."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from app.errors import EngineUnavailable
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.replica import Served
from app.prompting.query_rewriting import rewrite_query
from app.prompting.token_budget import Dialogue
from app.settings import PACKAGED_MODEL
from app.timings import StepTimer

TURNS = [
    {"role": "user", "content": "When does the reading room open?"},
    {"role": "assistant", "content": "At nine."},
]
JOINED = "When does the reading room open?\nAnd on Mondays?"
REWRITTEN = "When does the reading room open on Mondays?"


class Says:
    def __init__(self, reply: str | None, model: str = "scripted-7b") -> None:
        self._reply = reply
        self._model = model
        self.requests: list[ChatRequest] = []

    async def served(self) -> Served:
        return Served(self._model, 4096)

    async def generate(self, request: ChatRequest) -> AsyncGenerator[str | Generation]:
        self.requests.append(request)
        if self._reply is None:
            raise EngineUnavailable
        yield self._reply
        yield Generation(self._reply, "stop", 9, 2, 0.1)


async def rewritten(engine: Says | None) -> str:
    return await rewrite_query(engine, 1, Dialogue("And on Mondays?", TURNS), StepTimer())


@pytest.mark.parametrize(
    ("engine", "query"),
    [
        (Says(REWRITTEN), REWRITTEN),
        (Says(f"<think>Hm.</think> {REWRITTEN}"), REWRITTEN),
        (Says("The cellar serves wine."), JOINED),
        (Says(""), JOINED),
        (Says(None), JOINED),
        (None, JOINED),
        (Says(REWRITTEN, model=PACKAGED_MODEL), JOINED),
    ],
    ids=["rewritten", "after thinking", "about something else", "nothing", "unavailable", "no engine", "the toy"],
)
async def test_only_words_of_the_conversation_are_searched_for(engine, query):
    assert await rewritten(engine) == query


def conversation(*asked: str) -> list[dict[str, str]]:
    return [
        each for text in asked for each in ({"role": "user", "content": text}, {"role": "assistant", "content": "…"})
    ]


@pytest.mark.parametrize(
    ("turns", "text", "query"),
    [
        (["달빛 전기차에 대해 알려줘", "가격은?"], "보증 기간은?", "달빛 전기차에 대해 알려줘\n가격은?\n보증 기간은?"),
        (["바다 펜션의 숙박비는 얼마야?", "고마워요!"], "조식은?", "바다 펜션의 숙박비는 얼마야?\n조식은?"),
        (
            ["Tell me about the Moonlight car", "Thanks a lot!", "The price?"],
            "And colours?",
            "Tell me about the Moonlight car\nThe price?\nAnd colours?",
        ),
        (
            ["Where is the old harbour museum?", "Who built the long stone bridge?"],
            "When?",
            "Who built the long stone bridge?\nWhen?",
        ),
        (["Hello!"], "When?", "When?"),
    ],
)
async def test_the_subject_is_searched_for_in_later_turns_and_after_thanks(turns, text, query):
    assert await rewrite_query(None, 1, Dialogue(text, conversation(*turns)), StepTimer()) == query


async def test_a_question_alone_is_not_rewritten():
    engine, timer = Says(REWRITTEN), StepTimer()
    assert await rewrite_query(engine, 1, Dialogue("When?"), timer) == "When?"
    assert engine.requests == []
    assert "condense" not in timer.ms


async def test_it_is_generated_for_the_tenant_and_timed():
    engine, timer = Says(REWRITTEN), StepTimer()
    await rewrite_query(engine, 7, Dialogue("And on Mondays?", TURNS), timer)
    assert [request.tenant for request in engine.requests] == [7]
    assert "condense" in timer.ms
