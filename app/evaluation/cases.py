"""The file of an evaluation of answers: questions with what is known of their answers.

Beside our own names (`text`, `gold_doc_ids`) the route's are read (`input`, `documents`), and SQuAD's `answers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from app.evaluation.questions import BadFile, Identifier, Query, Question, json_lines, unique


class CaseLine(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    query_id: Identifier | None = Field(None, validation_alias=AliasChoices("query_id", "_id", "id"))
    text: Question = Field(validation_alias=AliasChoices("text", "input", "question"))
    expected: list[str] = Field([], validation_alias=AliasChoices("expected", "answers", "answer"))
    values: list[str] = Field([])
    gold_doc_ids: frozenset[Identifier] = Field(frozenset(), validation_alias=AliasChoices("gold_doc_ids", "documents"))
    gold_sources: frozenset[Identifier] = frozenset()
    answerable: bool = True

    @field_validator("expected", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def id(self) -> str:
        return self.query_id or self.text

    @property
    def query(self) -> Query:
        return Query(self.id, self.text, self.gold_doc_ids, self.gold_sources, {})


def load_cases(path: Path) -> list[CaseLine]:
    """Read the cases. Raises BadFile."""
    rows = json_lines(path, CaseLine)
    for number, row in rows:
        if not row.answerable and (row.expected or row.values or row.gold_doc_ids or row.gold_sources):
            raise BadFile(f"{path}:{number}: a question that is not answerable has nothing that answers it.")
    return unique(path, rows)


def bodies(cases: Sequence[CaseLine], gold: Mapping[str, frozenset[str]]) -> list[dict[str, Any]]:
    """Return the cases as the route takes them; `gold` are the documents that answer them."""
    return [
        {
            "id": case.id[:500],
            "input": case.text,
            "expected": case.expected,
            "values": case.values,
            "documents": sorted(gold.get(case.id, ())),
            "answerable": case.answerable,
        }
        for case in cases
    ]
