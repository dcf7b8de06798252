"""What fits into a model's context, by a tokenizer that counts words."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import EngineUnavailable, InvalidInput
from app.generation.replica import Served
from app.prompting.elements import ENGLISH, Overrides, PromptElements, elements_for
from app.prompting.source import Passage
from app.prompting.token_budget import Dialogue, assemble, assemble_without_engine, count_tokens, counting_tokens

QUESTION = "How long does it take?"
SOURCES = [Passage("word " * 100, [f"Note {number}"]) for number in range(1, 5)]
TURNS = [{"role": "user", "content": f"turn {number} " + "turn " * 40} for number in range(1, 5)]


class Words:
    def __init__(self, context_tokens: int = 4096, *, fails: bool = False) -> None:
        self._served = Served("words-1b", context_tokens)
        self._fails = fails
        self.asked = 0

    async def served(self) -> Served:
        return self._served

    async def count_tokens(self, texts) -> list[int]:
        if self._fails:
            raise EngineUnavailable
        self.asked += 1
        return [len(text.split()) for text in texts]

    async def count_message_tokens(self, messages) -> int:
        self.asked += 1
        return sum(len(message["content"].split()) for message in messages)


def elements(max_tokens: int = 100) -> PromptElements:
    return elements_for(QUESTION, Overrides(sampling={"max_tokens": max_tokens}))


async def test_what_fits_by_its_bytes_is_not_counted():
    words = Words(context_tokens=100_000)
    prompt = await assemble(words, elements(), SOURCES, Dialogue(QUESTION, TURNS))
    assert (prompt.used_contexts, prompt.dropped_contexts, prompt.dropped_messages) == (4, 0, 0)
    assert words.asked == 0


async def test_the_lowest_ranked_contexts_and_the_earliest_turns_are_dropped():
    words = Words(context_tokens=600)
    prompt = await assemble(words, elements(), SOURCES, Dialogue(QUESTION, TURNS))
    assert prompt.used_contexts + prompt.dropped_contexts == 4
    assert 0 < prompt.dropped_contexts < 4
    assert 0 < prompt.dropped_messages < 4
    assert await words.count_message_tokens(prompt.messages) + 100 <= 600
    assert "Note 1" in prompt.sources
    assert "Note 4" not in prompt.sources
    assert [turn["content"] for turn in prompt.messages[1:-1]] == [
        turn["content"] for turn in TURNS[prompt.dropped_messages :]
    ]


async def test_a_question_that_does_not_fit_alone_is_refused():
    with pytest.raises(InvalidInput, match="tokens too long") as caught:
        await assemble(Words(context_tokens=150), elements(), SOURCES, Dialogue("word " * 200))
    assert caught.value.errors[0]["pointer"] == "/input"


def test_without_a_tokenizer_nothing_is_dropped():
    prompt = assemble_without_engine(ENGLISH, SOURCES, Dialogue(QUESTION, TURNS))
    assert (prompt.used_contexts, prompt.dropped_contexts) == (4, 0)
    assert len(prompt.messages) == 2 + len(TURNS)


async def test_tokens_are_counted_by_element():
    words = Words()
    prompt = await assemble(words, elements(), SOURCES[:1], Dialogue(QUESTION))
    counts = await count_tokens(words, elements(), prompt, QUESTION)
    assert counts["input"] == len(QUESTION.split())
    assert counts["context"] == len(prompt.sources.split())
    assert (counts["examples"], counts["messages"]) == (0, 0)
    assert counts["total"] == await words.count_message_tokens(prompt.messages)


async def test_counting_waits_for_the_first_token_and_does_without_the_engine():
    words, begun = Words(), asyncio.Event()
    prompt = assemble_without_engine(ENGLISH, SOURCES, Dialogue(QUESTION))
    async with counting_tokens(words, ENGLISH, prompt, QUESTION, after=begun) as counts:
        await asyncio.sleep(0)
        assert words.asked == 0
        begun.set()
        assert (await counts)["input"] == len(QUESTION.split())
    async with counting_tokens(Words(fails=True), ENGLISH, prompt, QUESTION, after=begun) as counts:
        assert await counts == {}
