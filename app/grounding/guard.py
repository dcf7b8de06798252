"""What becomes of a generated text: it stands, is marked, is replaced by what the sources say, or is refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.grounding.citations import MARKER, SUPPORTED, Citation, Support, cite
from app.grounding.extractive import extract
from app.language.content_words import content_words, precision, terms_of
from app.prompting.elements import Grounding
from app.retrieval.match import Match

NoAnswer = Literal["nothing_retrieved", "below_min_score", "model_declined"]
Mode = Literal["generated", "extracted"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer whose citations have been checked, or the reason why there is none."""

    support: Support
    mode: Mode
    no_answer_reason: NoAnswer | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """`standalone` is the question as it was searched for, which the conversation has made complete."""

    text: str
    standalone: str
    contexts: Sequence[Match]
    no_answer_text: str

    @property
    def questions(self) -> list[str]:
        """Both, or the one if there is no conversation."""
        return list(dict.fromkeys((self.text, self.standalone)))


def judge(case: Case, answer: str, grounding: Grounding) -> Verdict:
    """What no source supports is marked, replaced by the extractive answer, or refused."""
    support = cite(answer, case.contexts, "\n".join(case.questions))
    if grounding == "off":
        return Verdict(replace(support, unsupported=[]), "generated")
    supported = bool(support.citations) and not support.unsupported
    if grounding == "mark" or (grounding == "refuse" and supported):
        return Verdict(support, "generated")
    if grounding == "refuse":
        return declined(case, "model_declined")
    extracted = quoted(case)
    # A small model also copies the question, or sentences of the sources that answer nothing, orders to it among them.
    if supported and _adds_to(case, support.answer) and _rest_on_the_same(support, extracted.support):
        return Verdict(support, "generated")
    return extracted


def quoted(case: Case) -> Verdict:
    """The sources' own sentences that bear on the question."""
    support = next(filter(None, (extract(question, case.contexts) for question in case.questions)), None)
    return Verdict(support, "extracted") if support else declined(case, "model_declined")


def declined(case: Case, reason: NoAnswer, mode: Mode = "extracted") -> Verdict:
    return Verdict(Support(case.no_answer_text, [], []), mode, reason)


def _adds_to(case: Case, answer: str) -> bool:
    """Whether it says more than the question asks."""
    asked = terms_of("\n".join(case.questions))
    return any(precision([word], asked) < SUPPORTED for word in content_words(MARKER.sub(" ", answer)))


def _rest_on_the_same(one: Support, other: Support) -> bool:
    """Every passage that one cites is within one that other cites."""
    return all(any(_within(cited, quoted) for quoted in other.citations) for cited in one.citations)


def _within(inner: Citation, outer: Citation) -> bool:
    return (
        inner.match.chunk_id == outer.match.chunk_id
        and outer.chunk_span.start <= inner.chunk_span.start
        and inner.chunk_span.end <= outer.chunk_span.end
    )
