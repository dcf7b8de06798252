"""Decide what becomes of a generated text: keep it, mark it, replace it by what the sources say, or refuse it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.grounding.citations import Citation, Support
from app.grounding.each_part import extract_each
from app.grounding.evidence import SUPPORTED, Reason
from app.grounding.extractive import extract
from app.grounding.json_values import is_json
from app.grounding.markers import MARKER, Span
from app.language.content_words import content_words, precision, terms_of
from app.prompting.elements import Grounding, PromptElements, shelf_text
from app.retrieval.match import Match

NoAnswerReason = Literal[
    "nothing_retrieved", "below_min_score", "not_answered_here", "model_declined", "about_the_shelf"
]
Mode = Literal["generated", "extracted"]


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """A text whose citations have been checked, or the reason why there is no answer. The spans refer to `text`."""

    text: str
    citations: list[Citation]
    unsupported: list[Span]
    mode: Mode
    no_answer_reason: NoAnswerReason | None = None
    titles: Sequence[str] = ()
    """Of documents, in the reply to a question about the shelf."""
    reasons: Mapping[Span, Reason] = field(default_factory=dict)
    """Of the unsupported spans."""
    unchecked: Sequence[Span] = ()


def check(
    support: Support,
    contexts: Sequence[Match],
    questions: Sequence[str],
    grounding: Grounding,
    *,
    no_answer_text: str,
    parts: Sequence[str] = (),
) -> GroundedAnswer:
    """Mark what no source supports, replace the text by the extractive answer, or refuse it.

    `questions` are the question as asked and as searched for, which the conversation has made complete; `parts` are
    those that were searched for apart.
    """
    if grounding != "extract" and _names_sources_alone(support.answer):
        return no_answer("model_declined", no_answer_text, mode="generated")
    if grounding == "off":
        return GroundedAnswer(support.answer, support.citations, [], "generated")
    generated = _grounded(support, "generated")
    supported = bool(support.citations) and not support.unsupported and not support.unchecked
    if grounding == "mark" or (grounding == "refuse" and supported):
        return generated
    if grounding == "refuse":
        return no_answer("model_declined", no_answer_text)
    extracted = extractive_answer(contexts, questions, no_answer_text=no_answer_text, parts=parts)
    # A small model also copies the question, or sentences of the sources that answer nothing, orders to it among them.
    if supported and _adds_to(questions, generated) and _rest_on_the_same(generated, extracted):
        return generated
    return extracted


def extractive_answer(
    contexts: Sequence[Match], questions: Sequence[str], *, no_answer_text: str, parts: Sequence[str] = ()
) -> GroundedAnswer:
    """Quote the sources' own sentences that bear on the question, or on each of its parts."""
    support = extract_each(parts, contexts) if parts else extract(questions[0], contexts, whole=questions[-1])
    return _grounded(support, "extracted") if support else no_answer("model_declined", no_answer_text)


def no_answer(reason: NoAnswerReason, text: str, *, mode: Mode = "extracted") -> GroundedAnswer:
    return GroundedAnswer(text, [], [], mode, reason)


def about_the_shelf(elements: PromptElements, titles: Sequence[str]) -> GroundedAnswer:
    return GroundedAnswer(shelf_text(elements, titles), [], [], "extracted", "about_the_shelf", titles)


def _names_sources_alone(answer: str) -> bool:
    return not is_json(answer) and not any(each.isalnum() for each in MARKER.sub("", answer))


def _grounded(support: Support, mode: Mode) -> GroundedAnswer:
    return GroundedAnswer(
        support.answer,
        support.citations,
        support.unsupported,
        mode,
        reasons=support.reasons,
        unchecked=support.unchecked,
    )


def _adds_to(questions: Sequence[str], answer: GroundedAnswer) -> bool:
    """Whether it says more than the question asks."""
    asked = terms_of("\n".join(questions))
    return any(precision([word], asked) < SUPPORTED for word in content_words(MARKER.sub(" ", answer.text)))


def _rest_on_the_same(one: GroundedAnswer, other: GroundedAnswer) -> bool:
    """Whether every passage that one cites is within one that the other cites."""
    return all(any(_within(cited, quoted) for quoted in other.citations) for cited in one.citations)


def _within(inner: Citation, outer: Citation) -> bool:
    return (
        inner.match.chunk_id == outer.match.chunk_id
        and outer.chunk_span.start <= inner.chunk_span.start
        and inner.chunk_span.end <= outer.chunk_span.end
    )
