"""Have the serving model tell, before it answers, whether the sources hold an answer to exactly this question.

It is asked for the sentence that answers, or the sign that there is none, where it would otherwise be asked for the
answer: so the engine reads question and sources once. One token is generated, and what it may begin with is the score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.messages import Message, Sampling
from app.grounding.judge import Completer
from app.language.question_language import Language
from app.prompting.elements import NO_ANSWER, PromptElements, system_text

QUOTE = {
    "en": (
        "Copy from the sources, word for word, the one sentence that answers the question. If none of them answers "
        f"exactly this question, reply with {NO_ANSWER} and nothing else."
    ),
    "ko": (
        "출처에서 질문에 답하는 문장 하나를 그대로 옮겨 쓰세요. 바로 이 질문에 답하는 문장이 없으면 "
        f"다른 말 없이 {NO_ANSWER}라고만 답하세요."
    ),
}
SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=1)
OPENS = NO_ANSWER[:2]


@dataclass(frozen=True, slots=True)
class Answerability:
    """`score` is the probability that the model quotes something; None if its probabilities are not known."""

    score: float | None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def is_below(self, least: float) -> bool:
        return self.score is not None and self.score < least


async def answerability(
    engine: Completer, tenant: int, elements: PromptElements, prompt: Sequence[Message], language: Language
) -> Answerability:
    """Ask about the prompt of these elements that the answer will be written to. Raises Unavailable."""
    request = ChatRequest(asked(elements, prompt, language), SAMPLING, tenant, is_own=True, likely=True)
    async with aclosing(engine.generate(request)) as parts:
        async for part in parts:
            if isinstance(part, Generation):
                return Answerability(chance_of_a_quote(part.likely), part.prompt_tokens, part.completion_tokens)
    raise AssertionError("the last part is the whole")


def asked(elements: PromptElements, prompt: Sequence[Message], language: Language) -> list[Message]:
    """Return the prompt with the order to quote in the place of its output indicator."""
    first, last = prompt[0], prompt[-1]
    if elements.reasoning:
        first = Message(role="system", content=system_text(replace(elements, reasoning=False)))
    question = last["content"].removesuffix(elements.output_indicator).rstrip()
    return [first, *prompt[1:-1], {"role": last["role"], "content": f"{question}\n\n{QUOTE[language]}"}]


def chance_of_a_quote(likely: Mapping[str, float]) -> float | None:
    """Return what is left beside the chance that the sign begins."""
    if not likely:
        return None
    opening = [token for token in likely if token.strip().startswith(OPENS)]
    # A tokenizer may cut the sign after its first bracket; where it does not, one bracket opens a marker such as [1].
    opening = opening or [token for token in likely if token.strip() == OPENS[0]]
    return max(0.0, 1 - sum(math.exp(likely[token]) for token in opening))
