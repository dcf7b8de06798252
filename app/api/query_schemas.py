"""Bodies of what asks: searches, questions, stored prompts, and their answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from app.api.asked_of_the_engine import Decompose, MinAnswerability
from app.api.chunk_schemas import ContextOut, Headings, Pages, SpanOut
from app.api.explanation_schemas import ExplanationOut
from app.api.filters import Filters
from app.api.schemas import MAX_TOP_K, Body, CollectionId, Input
from app.grounding.evidence import Reason
from app.grounding.guard import NoAnswerReason
from app.grounding.judge import GroundingCheck
from app.language.question_language import Language
from app.language.unicode import CLEAN
from app.prompting.elements import Grounding
from app.prompting.schema_limits import limited_schema
from app.retrieval.search import Mode

# A cosine or a fused score is at most 1; BM25's has no bound of its own.
MinScore = Annotated[float, Field(ge=-1, le=1000, description="Of the mode's own score")]
MAX_TOKENS = 8192
MAX_TURNS = 100
MAX_EXAMPLES = 32
MAX_PERSONA_CHARACTERS = 20_000

Instruction = Annotated[str, StringConstraints(min_length=1, max_length=20_000), CLEAN]
OutputIndicator = Annotated[str, StringConstraints(min_length=1, max_length=5_000), CLEAN]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100), CLEAN]
Stop = Annotated[str, StringConstraints(min_length=1, max_length=100), CLEAN]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(gt=0, le=1)]
TopK = Annotated[int, Field(ge=1, le=1000)]
MinP = Annotated[float, Field(ge=0, le=1)]
MaxTokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Stops = Annotated[list[Stop], Field(max_length=4)]

PromptReference = Annotated[str, StringConstraints(max_length=80)]
InCollection = Annotated[
    CollectionId | None, Field(description="Where to search, with its defaults for fields left out; else in all")
]
PerDocument = Annotated[
    int | None, Field(ge=1, le=MAX_TOP_K, description="The most hits of one document, as long as there are others")
]
Neighbours = Annotated[
    int, Field(ge=0, le=3, description="How many chunks before and after each hit come with it, after all hits")
]
Rerank = Annotated[
    bool | None,
    Field(
        description="`true` ranks the best 50 by the reranker, whose `score` is then given; by default the first five "
        "change places if there is a reranker, and `score` stays the mode's; `false` does neither"
    ),
]
Explain = Annotated[bool, Field(description="Whether `explain` tells how it came about")]
AdapterChoice = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class ExampleBody(Body):
    """Few-shot: an input, the output wished for, and the context it comes from if there is one."""

    input: Input
    output: Annotated[str, StringConstraints(min_length=1, max_length=20_000), CLEAN]
    context: Annotated[str, StringConstraints(max_length=20_000), CLEAN] | None = None


class ElementsBody(Body):
    """Elements that replace the built-in ones; what is left out stays."""

    instruction: Instruction | None = None
    output_indicator: OutputIndicator | None = None
    context_label: Label | None = None
    input_label: Label | None = None
    examples: Annotated[list[ExampleBody], Field(max_length=MAX_EXAMPLES)] | None = None
    persona: Annotated[str, StringConstraints(max_length=MAX_PERSONA_CHARACTERS), CLEAN] | None = None
    reasoning: bool | None = None
    no_answer_text: Annotated[str, StringConstraints(min_length=1, max_length=2_000), CLEAN] | None = None
    grounding: Grounding | None = None


class TurnBody(Body):
    role: Literal["user", "assistant"]
    content: Input


class JsonSchemaBody(Body):
    model_config = ConfigDict(populate_by_name=True)

    name: Annotated[str, StringConstraints(max_length=64)] = "answer"
    description: Annotated[str, StringConstraints(max_length=2_000), CLEAN] | None = None
    json_schema: Annotated[dict[str, Any], AfterValidator(limited_schema), Field(alias="schema")]
    strict: bool | None = None


class ResponseFormatBody(Body):
    """OpenAI's shape."""

    type: Literal["json_schema"]
    json_schema: JsonSchemaBody


def _with_schema(value: Any) -> Any:
    """Name the schema that OpenAI's other formats mean."""
    if value == {"type": "text"}:
        return None
    if value == {"type": "json_object"}:
        return {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    return value


ResponseFormat = Annotated[
    ResponseFormatBody | None,
    BeforeValidator(_with_schema),
    Field(description="`json_schema`, `json_object` for any object, or `text`"),
]


class SearchBody(Body):
    input: Input
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] = 10
    mode: Mode = "hybrid"
    filters: Filters | None = None
    min_score: MinScore | None = None
    rerank: Rerank = None
    per_document: PerDocument = None
    neighbours: Neighbours = 0
    collection: InCollection = None
    explain: Explain = False


class SearchOut(BaseModel):
    """`has_more`: some contexts were left out, since those of an answer have at most 8 MB."""

    contexts: list[ContextOut]
    has_more: bool
    timings_ms: dict[str, float]
    explain: ExplanationOut | None = None


class QueryBody(ElementsBody):
    """The prompt's four elements: instruction, context (what is retrieved), input, output indicator."""

    input: Input
    prompt: PromptReference | None = None
    response_format: ResponseFormat = None
    adapter: AdapterChoice = "auto"
    language: Annotated[
        Language | None, Field(description="Of the prompt and the no-answer text; the question's own")
    ] = None
    messages: Annotated[list[TurnBody], Field(max_length=MAX_TURNS)] = Field([])
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] = 5
    mode: Mode = "hybrid"
    filters: Filters | None = None
    min_score: MinScore | None = None
    rerank: Rerank = None
    per_document: PerDocument = None
    neighbours: Neighbours = 0
    collection: InCollection = None
    decompose: Decompose = False
    grounding_check: GroundingCheck | None = None
    min_answerability: MinAnswerability = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k_sampling: TopK | None = None
    min_p: MinP | None = None
    max_tokens: MaxTokens | None = None
    stop: Stops | None = None
    seed: Seed | None = None
    explain: Explain = False
    stream: bool = False
    dry_run: bool = False

    @model_validator(mode="after")
    def _json_alone(self) -> QueryBody:
        if self.response_format is not None and self.reasoning:
            raise ValueError("response_format does not go with reasoning: the answer would not keep to the schema")
        return self


class CitationOut(BaseModel):
    """`score` is the search's; `support` is how far the quote supports the sentence, by its words or to a judge."""

    marker: int
    chunk_id: str
    document_id: str
    source: str | None
    title: str | None
    page: int | None
    pages: Pages
    headings: Headings
    quote: str
    score: float
    support: float
    reason: Literal["words", "judged"]
    answer_span: SpanOut
    chunk_span: SpanOut


class UnsupportedOut(SpanOut):
    """A sentence that no source supports, and why."""

    reason: Reason


class PromptOut(BaseModel):
    name: str | None = None
    version: int | None = None
    tokens: dict[str, int]
    dropped_contexts: int
    dropped_messages: int = 0
    cut_messages: int = 0


class AnswerOut(BaseModel):
    id: str
    answer: str
    answer_mode: Literal["generated", "extracted"]
    finish_reason: Literal["stop", "length", "no_answer"]
    no_answer_reason: NoAnswerReason | None = None
    titles: list[str] = []
    citations: list[CitationOut]
    unsupported: list[UnsupportedOut]
    unchecked: list[SpanOut] = []
    answerability: Annotated[
        float | None, Field(description="The probability that the sources answer it, where the engine was asked")
    ] = None
    contexts: list[ContextOut]
    prompt: PromptOut
    usage: dict[str, int]
    timings_ms: dict[str, float]
    model: str | None
    adapter: str | None = None
    reasoning: str | None = None
    search_query: str | None = None
    fallback: str | None = None
    logged: Annotated[bool, Field(description="Whether POST /queries/{id}/feedback takes what users say of it")] = False
    explain: ExplanationOut | None = None


class DryRunOut(BaseModel):
    messages: list[dict[str, str]]
    prompt: PromptOut
    contexts: list[ContextOut]
    search_query: str | None = None
    explain: ExplanationOut | None = None
