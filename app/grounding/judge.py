"""Have a judge look at the sentences that words cannot decide: a paraphrase, another language, a narrow match.

The check by words comes first (evidence.py). `auto` asks the judge about sentences for which no source was found and
about those that pass narrowly; what words refute (another number, a negation, an unknown name) stays refuted. `engine`
asks the serving model about every sentence, `model` a small one (check_model.py). A sentence with an address that its
source does not have is never asked about, and a judge's yes counts only where something can be quoted. What no judge
has answered in time is neither supported nor marked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from app.errors import KyujangError
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.messages import Message, Sampling
from app.generation.replica import Served
from app.grounding.citations import CheckedSentence, Support, citation_of
from app.grounding.markers import Span
from app.language.question_language import language_of
from app.prompting.fencing import new_fence
from app.retrieval.match import Match

GroundingCheck = Literal["auto", "lexical", "model", "engine"]

ASK = {
    "en": (
        "Check one sentence against the sources above:\n{sentence}\n\n"
        "Do the sources say this, in these or in other words? Reply with one word, yes or no."
    ),
    "ko": (
        "위의 출처와 한 문장을 대조하세요:\n{sentence}\n\n"
        "표현이 다르더라도 출처가 이렇게 말하고 있습니까? 예 또는 아니요, 한 단어로만 답하세요."
    ),
}
YES = frozenset({"yes", "예", "네"})
NO = frozenset({"no", "아니", "아니요", "아니오"})
SUPPORTED_FROM = 0.5
# The least share of words that passes is 0.5, or 0.6 of a sentence that shares none with the question.
NARROW = 0.7
MOST_SENTENCES = 16
SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=1)


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` is the probability that the sources say it; None if there was no answer, or one that says neither."""

    score: float | None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Judge(Protocol):
    """What can say whether the sources say a sentence. Does not raise because of what it asks."""

    async def judge(self, sentence: str) -> Judgement: ...


class Completer(Protocol):
    """What of an engine judges. Raises KyujangError."""

    async def served(self) -> Served: ...

    def generate(self, request: ChatRequest) -> AsyncGenerator[str | Generation]: ...


@dataclass(frozen=True, slots=True)
class EngineJudge:
    """Asks the serving model in the conversation that it has answered in, so that sources and answer are cached there.

    One token is generated, without an adapter, and its log-probabilities are the score.
    """

    engine: Completer
    tenant: int
    answered: Sequence[Message]
    """The prompt, and the answer as the model wrote it."""

    async def judge(self, sentence: str) -> Judgement:
        try:
            fence = new_fence((await self.engine.served()).special_tokens)
            question = ASK[language_of(sentence)].format(sentence=fence.neutralise(sentence))
            messages: list[Message] = [*self.answered, {"role": "user", "content": question}]
            async with aclosing(
                self.engine.generate(ChatRequest(messages, SAMPLING, self.tenant, is_own=True, likely=True))
            ) as parts:
                async for part in parts:
                    if isinstance(part, Generation):
                        return Judgement(chance_of_yes(part.likely), part.prompt_tokens, part.completion_tokens)
        except KyujangError:
            pass
        return Judgement(None)


@dataclass(frozen=True, slots=True)
class Review:
    """A support after a judge has looked at it, and the tokens that this took."""

    support: Support
    prompt_tokens: int = 0
    completion_tokens: int = 0


async def review(
    judge: Judge, support: Support, matches: Sequence[Match], how: GroundingCheck, *, timeout_s: float
) -> Review:
    """Ask about each doubtful sentence at the same time. Does not raise."""
    doubtful = [each for each in support.sentences if _is_doubtful(each, how)]
    asking = [asyncio.ensure_future(judge.judge(each.text)) for each in doubtful[:MOST_SENTENCES]]
    try:
        if asking:
            await asyncio.wait(asking, timeout=timeout_s)
        judged = [each.result() if each.done() else Judgement(None) for each in asking]
    finally:
        for each in asking:
            each.cancel()
    judged += [Judgement(None)] * (len(doubtful) - len(judged))
    for sentence, judgement in zip(doubtful, judged, strict=True):
        support = _decided(support, sentence, judgement.score, matches)
    tokens = sum(each.prompt_tokens for each in judged), sum(each.completion_tokens for each in judged)
    return Review(support, *tokens)


def _is_doubtful(sentence: CheckedSentence, how: GroundingCheck) -> bool:
    verdict = sentence.verdict
    if how == "auto":
        return verdict.score < NARROW if verdict.pieces else verdict.reason == "no_source"
    return how in ("engine", "model")


def _decided(support: Support, sentence: CheckedSentence, score: float | None, matches: Sequence[Match]) -> Support:
    """Put the judge's answer in the place of that of the words, which holds for what passes them without one."""
    span, verdict = sentence.span, sentence.verdict
    if score is None and verdict.pieces:
        return support
    citations = [each for each in support.citations if each.answer_span != span]
    unsupported = [each for each in support.unsupported if each != span]
    if score is None:
        return replace(support, unsupported=unsupported, unchecked=[*support.unchecked, span])
    if score < SUPPORTED_FROM:
        marked = sorted([*unsupported, span], key=_place)
        reasons = {span: "no_source", **support.reasons}
        return replace(support, citations=citations, unsupported=marked, reasons=reasons)
    pieces = verdict.pieces or ([verdict.nearest] if verdict.nearest else [])
    citations += [citation_of(piece, matches, span, score, "judged") for piece in pieces]
    citations.sort(key=lambda each: _place(each.answer_span))
    return replace(support, citations=citations, unsupported=unsupported)


def _place(span: Span) -> tuple[int, int]:
    return span.start, span.end


def chance_of_yes(likely: Mapping[str, float]) -> float | None:
    """Return the share of yes among yes and no."""
    chances = {True: 0.0, False: 0.0}
    for token, logprob in likely.items():
        word = token.strip().casefold()
        # Qwen's tokenizer cuts 아|니|요: the first token may be a word's beginning.
        for says, words in ((True, YES), (False, NO)):
            if word and any(each.startswith(word) for each in words):
                chances[says] += math.exp(logprob)
    total = sum(chances.values())
    return chances[True] / total if total else None
