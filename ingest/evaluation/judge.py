"""Ask the engine whether an answer says the same as an expected one: one token, whose probabilities are the score."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.messages import Message
from app.grounding.judge import SAMPLING, SUPPORTED_FROM, Completer, chance_of_yes
from app.language.question_language import language_of
from app.prompting.fencing import new_fence

ASK = {
    "en": (
        "Question: {input}\n\nRight answer: {expected}\n\nGiven answer: {answer}\n\n"
        "Does the given answer say the same as the right answer? Reply with one word, yes or no."
    ),
    "ko": (
        "질문: {input}\n\n정답: {expected}\n\n제출된 답: {answer}\n\n"
        "제출된 답이 정답과 같은 내용입니까? 예 또는 아니요, 한 단어로만 답하세요."
    ),
}
OR = {"en": " or: ", "ko": " 또는: "}


@dataclass(frozen=True, slots=True)
class AnswerJudge:
    """Asks the base model. Raises what the engine raises."""

    engine: Completer
    tenant: int

    async def is_right(self, input: str, expected: list[str], answer: str) -> bool:
        """A model that says neither yes nor no is taken to say no."""
        language = language_of(input)
        fence = new_fence((await self.engine.served()).special_tokens)
        texts = {"input": input, "expected": OR[language].join(expected), "answer": answer}
        asked = ASK[language].format(**{name: fence.neutralise(text) for name, text in texts.items()})
        messages: list[Message] = [{"role": "user", "content": asked}]
        chance: float | None = None
        async with aclosing(self.engine.generate(ChatRequest(messages, SAMPLING, self.tenant, likely=True))) as parts:
            async for part in parts:
                if isinstance(part, Generation):
                    chance = chance_of_yes(part.likely)
        return chance is not None and chance >= SUPPORTED_FROM
