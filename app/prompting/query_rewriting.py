"""Rewrite a question out of a conversation so that it can be searched for alone.

The engine rewrites it, and the result is kept only if its words come from the conversation, since a small model also
answers, or asks something else. Otherwise the question is searched together with those before it, back to the one that
names the subject.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from app.errors import Unavailable
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.messages import Message, Sampling
from app.generation.replica import Served
from app.language.content_words import content_words, precision, terms_of
from app.language.courtesy import bare_question, is_courtesy
from app.language.question_language import language_of
from app.prompting.fencing import Fence, new_fence
from app.prompting.reply import Reply
from app.prompting.token_budget import Dialogue
from app.storage.tenancy import TenantNumber
from app.timings import StepTimer

REWRITE = {
    "en": (
        "Rewrite the last question so that it can be understood without the conversation: put names in the place of "
        "pronouns and add what it leaves out. Do not answer it. Reply with the question alone."
    ),
    "ko": (
        "마지막 질문을 대화 없이도 이해할 수 있게 다시 쓰세요. 대명사 대신 이름을 쓰고 생략된 말을 채우세요. "
        "답하지 말고 질문만 쓰세요."
    ),
}
SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=96)
FROM_THE_CONVERSATION = 0.8
MAX_CHARACTERS = 500
MAX_TURNS = 6
SHORT_WORDS = 2
MAX_TURN_CHARACTERS = 1500


class Completer(Protocol):
    """What of an engine rewrites a question. Raises Unavailable."""

    async def served(self) -> Served: ...

    def generate(self, request: ChatRequest) -> AsyncGenerator[str | Generation]: ...


async def rewrite_query(engine: Completer | None, tenant: TenantNumber, dialogue: Dialogue, timer: StepTimer) -> str:
    """Return the question itself if nothing came before it. Does not raise because of the engine."""
    if not dialogue.turns:
        return dialogue.text
    with timer.step("condense"):
        return await _standalone(engine, tenant, dialogue.turns, dialogue.text)


async def _standalone(engine: Completer | None, tenant: TenantNumber, turns: Sequence[Message], text: str) -> str:
    joined = await asyncio.to_thread(_since_the_subject, turns, text)
    try:
        if engine is None or (served := await engine.served()).is_packaged:
            return joined
        fence = new_fence(served.special_tokens)
        messages = await asyncio.to_thread(_messages, fence, turns[-MAX_TURNS:], text)
        rewritten = await short_reply(engine, tenant, messages)
        is_from = await asyncio.to_thread(is_from_texts, rewritten, [*(turn["content"] for turn in turns), text])
    except Unavailable:
        return joined
    return rewritten if is_from else joined


def _since_the_subject(turns: Sequence[Message], text: str) -> str:
    """Return the question after those before it from the last that names a subject; a short one, such as `가격은?`,
    leaves it out."""
    asked = [turn["content"] for turn in turns if turn["role"] == "user" and not is_courtesy(turn["content"])]
    since = asked[-MAX_TURNS:]
    for number in range(len(since) - 1, -1, -1):
        if len(list(content_words(bare_question(since[number])))) > SHORT_WORDS:
            since = since[number:]
            break
    return "\n".join([*since, text])


async def short_reply(engine: Completer, tenant: TenantNumber, messages: Sequence[Message]) -> str:
    """Return what the engine replies, without what it thinks aloud. Raises Unavailable."""
    reply = Reply()
    async with aclosing(engine.generate(ChatRequest(messages, SAMPLING, tenant, is_own=True))) as parts:
        async for part in parts:
            if not isinstance(part, Generation):
                reply.feed(part)
    reply.end()
    return reply.answer.strip()


def _messages(fence: Fence, turns: Sequence[Message], text: str) -> list[Message]:
    lines = [f"{turn['role']}: {fence.neutralise(turn['content'])[:MAX_TURN_CHARACTERS]}" for turn in turns]
    return [
        {"role": "system", "content": REWRITE[language_of(text)]},
        {"role": "user", "content": "\n".join([*lines, f"user: {fence.neutralise(text)}"])},
    ]


def is_from_texts(question: str, texts: Sequence[str]) -> bool:
    """Tell whether it is a question in the words of these texts."""
    words = list(content_words(question))
    if not words or len(question) > MAX_CHARACTERS:
        return False
    return precision(words, frozenset[str]().union(*map(terms_of, texts))) >= FROM_THE_CONVERSATION
