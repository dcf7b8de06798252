"""A question out of a conversation, made to stand alone: what is searched for.

The engine rewrites it, and the rewriting is kept only if its words come from the conversation, since a small model also
answers, or asks something else. Otherwise the question is searched together with the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from app.errors import Unavailable
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.engine import Engine
from app.generation.messages import Message, Sampling
from app.language.content_words import content_words, precision, terms_of
from app.language.hangul import HAS_HANGUL
from app.prompting.fencing import neutralise
from app.prompting.reply import Reply
from app.tenancy import TenantNumber

REWRITE = {
    False: (
        "Rewrite the last question so that it can be understood without the conversation: put names in the place of "
        "pronouns and add what it leaves out. Do not answer it. Reply with the question alone."
    ),
    True: (
        "마지막 질문을 대화 없이도 이해할 수 있게 다시 쓰세요. 대명사 대신 이름을 쓰고 생략된 말을 채우세요. "
        "답하지 말고 질문만 쓰세요."
    ),
}
SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=96)
FROM_THE_CONVERSATION = 0.8
LONGEST = 500
TURNS = 6
TURN_CHARACTERS = 1500


async def standalone(engine: Engine | None, tenant: TenantNumber, turns: Sequence[Message], text: str) -> str:
    """Never raises because of the engine: without it, the question goes with the one before it."""
    asked = [turn["content"] for turn in turns if turn["role"] == "user"]
    joined = "\n".join([*asked[-1:], text])
    try:
        if engine is None or (await engine.served()).is_packaged:
            return joined
        rewritten = await _rewritten(engine, tenant, turns[-TURNS:], text)
    except Unavailable:
        return joined
    return rewritten if _is_from(rewritten, [*(turn["content"] for turn in turns), text]) else joined


async def _rewritten(engine: Engine, tenant: TenantNumber, turns: Sequence[Message], text: str) -> str:
    lines = [f"{turn['role']}: {neutralise(turn['content'])[:TURN_CHARACTERS]}" for turn in turns]
    messages: list[Message] = [
        {"role": "system", "content": REWRITE[bool(HAS_HANGUL.search(text))]},
        {"role": "user", "content": "\n".join([*lines, f"user: {neutralise(text)}"])},
    ]
    reply = Reply()
    async with aclosing(engine.generate(ChatRequest(messages, SAMPLING, tenant))) as parts:
        async for part in parts:
            if not isinstance(part, Generation):
                reply.feed(part)
    reply.end()
    return reply.answer.strip()


def _is_from(question: str, conversation: Sequence[str]) -> bool:
    words = list(content_words(question))
    if not words or len(question) > LONGEST:
        return False
    return precision(words, frozenset[str]().union(*map(terms_of, conversation))) >= FROM_THE_CONVERSATION
