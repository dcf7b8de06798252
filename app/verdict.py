"""What becomes of a generated text: it stands, is marked, is replaced by what the sources say, or is refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.citations import Support, cite
from app.extract import extract
from app.prompts import Grounding
from app.stores import Match

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


def judge(case: Case, answer: str, grounding: Grounding) -> Verdict:
    """What no source supports is marked, replaced by the extractive answer, or refused."""
    support = cite(answer, case.contexts, f"{case.text}\n{case.standalone}")
    if grounding == "off":
        return Verdict(replace(support, unsupported=[]), "generated")
    supported = bool(support.citations) and not support.unsupported
    if grounding == "mark" or (grounding == "refuse" and supported):
        return Verdict(support, "generated")
    if grounding == "refuse":
        return declined(case, "model_declined")
    extracted = quoted(case)
    # A small model also copies sentences that are in the sources and answer nothing: those do not stand either.
    if supported and _rest_on_the_same(support, extracted.support):
        return Verdict(support, "generated")
    return extracted


def quoted(case: Case) -> Verdict:
    """The sources' own sentences that bear on the question."""
    support = extract(case.text, case.contexts) or extract(case.standalone, case.contexts)
    return Verdict(support, "extracted") if support else declined(case, "model_declined")


def declined(case: Case, reason: NoAnswer, mode: Mode = "extracted") -> Verdict:
    return Verdict(Support(case.no_answer_text, [], []), mode, reason)


def _rest_on_the_same(one: Support, other: Support) -> bool:
    chunks = {citation.match.chunk_id for citation in other.citations}
    return any(citation.match.chunk_id in chunks for citation in one.citations)
