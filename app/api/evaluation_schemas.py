"""Bodies of evaluations of answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.api.adapter_schemas import MAX_CASES, Expected
from app.api.asked_of_the_engine import Decompose, MinAnswerability
from app.api.query_schemas import (
    AdapterChoice,
    Instruction,
    MaxTokens,
    MinScore,
    Neighbours,
    OutputIndicator,
    PerDocument,
    PromptReference,
    Temperature,
    TopP,
)
from app.api.schemas import MAX_TOP_K, Body, Input, Short
from app.grounding.judge import GroundingCheck
from app.language.question_language import Language
from app.language.unicode import CLEAN
from app.prompting.elements import Grounding
from app.retrieval.search import Mode
from app.storage.document_ids import DocumentId

MAX_WAYS = 4
MAX_REPEATS = 10
MAX_ANSWERS = 4000
MAX_SAMPLES = 500

Value = Annotated[str, StringConstraints(min_length=1, max_length=500), CLEAN]
Answer = Annotated[str, StringConstraints(min_length=1, max_length=20_000), CLEAN]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


ExpectedAnswers = Annotated[Expected | Annotated[list[Expected], Field(max_length=10)], AfterValidator(_listed)]


class AnswerCaseBody(Body):
    """A question, and what is known of its answer: `expected` are answers any of which would be right, `values` must
    all stand in it, `documents` are those that answer it. Without an answer in the documents it is not `answerable`."""

    id: Short | None = None
    input: Input
    expected: ExpectedAnswers = Field([])
    values: Annotated[list[Value], Field(max_length=20)] = Field([])
    documents: Annotated[list[DocumentId], Field(max_length=20)] = Field([])
    answerable: bool = True

    @model_validator(mode="after")
    def _no_answer_known(self) -> AnswerCaseBody:
        if not self.answerable and (self.expected or self.values or self.documents):
            raise ValueError("a question that is not answerable has no expected answer, values or documents")
        return self


class WayBody(Body):
    """Fields of POST /query, with which the cases are asked; what is left out is as there."""

    prompt: PromptReference | None = None
    adapter: AdapterChoice | None = None
    mode: Mode | None = None
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] | None = None
    min_score: MinScore | None = None
    rerank: bool | None = None
    per_document: PerDocument = None
    neighbours: Neighbours | None = None
    instruction: Instruction | None = None
    output_indicator: OutputIndicator | None = None
    persona: Answer | None = None
    reasoning: bool | None = None
    grounding: Grounding | None = None
    grounding_check: GroundingCheck | None = None
    min_answerability: MinAnswerability = None
    decompose: Decompose | None = None
    language: Language | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: MaxTokens | None = None


class SampleBody(Body):
    """An answer that a person has read, and whether it is right."""

    input: Input
    expected: ExpectedAnswers
    answer: Answer
    right: bool


class JudgeBody(Body):
    """The engine judges whether answers say the same as the expected ones; `samples` measure how often it errs."""

    samples: Annotated[list[SampleBody], Field(max_length=MAX_SAMPLES)] = Field([])


class EvaluationBody(Body):
    """`compare` holds the ways to answer, the first of which the others are compared with; without it the tenant's own
    is measured. Above temperature 0 more `repeats` tell a change from chance."""

    cases: Annotated[list[AnswerCaseBody], Field(min_length=1, max_length=MAX_CASES)]
    compare: Annotated[list[WayBody], Field(min_length=1, max_length=MAX_WAYS)] = Field([WayBody()])
    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)] = 1
    judge: JudgeBody | None = None

    @model_validator(mode="after")
    def _not_too_many(self) -> EvaluationBody:
        if (answers := len(self.cases) * len(self.compare) * self.repeats) > MAX_ANSWERS:
            raise ValueError(f"asks for {answers} answers; {MAX_ANSWERS} at most are made")
        return self
