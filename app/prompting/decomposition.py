"""Have the engine cut a question that asks several things into questions that can be searched for apart.

What it writes is kept only if each line is a question in the words of the one that was asked; otherwise the words cut.
"""

from __future__ import annotations

import asyncio

from app.errors import Unavailable
from app.generation.messages import Message
from app.language.question_language import language_of
from app.language.question_parts import question_parts
from app.prompting.fencing import Fence, new_fence
from app.prompting.query_rewriting import Completer, is_from_texts, short_reply
from app.storage.tenancy import TenantNumber
from app.timings import StepTimer

CUT = {
    "en": (
        "If the question asks for two or three separate things, write each as a question that can be understood by "
        "itself, in the words of the question, one a line. If it asks for one thing, repeat it as it is. Do not "
        "answer. Reply with the questions alone."
    ),
    "ko": (
        "질문이 서로 다른 두세 가지를 묻는다면, 질문에 있는 말로 저마다 따로 읽어도 뜻이 통하는 질문으로 나누어 "
        "한 줄에 하나씩 쓰세요. 한 가지를 묻는다면 그대로 되풀이하세요. 답하지 말고 질문만 쓰세요."
    ),
}
MOST_PARTS = 3


async def cut_by_engine(engine: Completer | None, tenant: TenantNumber, question: str, timer: StepTimer) -> list[str]:
    """Return its parts, the question itself if it is one. Does not raise because of the engine."""
    with timer.step("decompose"):
        try:
            if engine is None or (served := await engine.served()).is_packaged:
                return question_parts(question)
            messages = _messages(new_fence(served.special_tokens), question)
            reply = await short_reply(engine, tenant, messages)
        except Unavailable:
            return question_parts(question)
        return await asyncio.to_thread(_parts, reply, question)


def _messages(fence: Fence, question: str) -> list[Message]:
    return [
        {"role": "system", "content": CUT[language_of(question)]},
        {"role": "user", "content": fence.neutralise(question)},
    ]


def _parts(reply: str, question: str) -> list[str]:
    lines = list(dict.fromkeys(stripped for line in reply.splitlines() if (stripped := line.strip())))
    if not 0 < len(lines) <= MOST_PARTS or not all(is_from_texts(line, [question]) for line in lines):
        return question_parts(question)
    return lines if len(lines) > 1 else [question]
