"""What is right about one answer, as far as that can be said without a model. Pure.

`refusal`: a question with an answer was answered, or one without refused. `contains`: an expected answer stands in it.
`values`: the share of the exact values that stand in it, whole and however they are written. `citation_precision` and
`citation_recall`: the share of the cited documents that answer the question, and of those that are cited. `right` sums
up: refused where there is no answer, else answered with what was expected. Only what a case names is measured.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import Field

from app.evaluation.overlap import contains
from app.evaluation.report import Part
from app.language.hangul import HAS_HANGUL
from app.language.numbers import plain_numbers

RIGHT = "right"
NAMES = (RIGHT, "refusal", "contains", "values", "citation_precision", "citation_recall", "judged")


class Case(Part):
    """A question: `expected` are answers any of which would be right, `values` must all be in it, `documents` are the
    ids of those that answer it."""

    id: str | None = None
    input: str
    expected: list[str] = Field([])
    values: list[str] = Field([])
    documents: list[str] = Field([])
    answerable: bool = True

    @property
    def name(self) -> str:
        return self.id or self.input


def measures(case: Case, text: str, cited: Collection[str], *, refused: bool) -> dict[str, float]:
    found = {"refusal": float(refused != case.answerable)}
    if not case.answerable:
        return {RIGHT: found["refusal"], **found}
    said = "" if refused else text
    if case.expected:
        language = "ko" if HAS_HANGUL.search("".join(case.expected)) else "en"
        found["contains"] = float(contains(said, case.expected, language))
    if case.values:
        found["values"] = sum(has_value(said, value) for value in case.values) / len(case.values)
    if case.documents:
        hits = len(set(cited) & set(case.documents))
        found["citation_precision"] = hits / len(set(cited)) if cited else 0.0
        found["citation_recall"] = hits / len(set(case.documents))
    told = [found[name] for name in ("contains", "values") if name in found]
    if not told and case.documents:
        told = [float(found["citation_recall"] > 0)]
    return {RIGHT: float(not refused and min(told) == 1), **found} if told else found


def has_value(text: str, value: str) -> bool:
    """Say whether the value stands in the text as a whole: 30 is not in 300, and 2억 원 is 200,000,000원."""
    text, value = (plain_numbers(each).casefold() for each in (text, value.strip()))
    before = r"(?<![0-9A-Za-z.,])" if value[:1].isalnum() else ""
    after = r"(?![A-Za-z]|[.,]?[0-9])" if value[-1:].isalnum() and value[-1:].isascii() else ""
    return re.search(f"{before}{re.escape(value)}{after}", text) is not None
