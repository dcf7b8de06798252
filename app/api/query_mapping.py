"""Map a body to a question, and an answer to a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.api.chunk_schemas import ContextOut, SpanOut, header_out, pages_of
from app.api.explanation import explanation_out
from app.api.explanation_schemas import ExplanationOut
from app.api.filters import filter_of
from app.api.query_schemas import (
    AnswerOut,
    CitationOut,
    DryRunOut,
    ElementsBody,
    PromptOut,
    QueryBody,
    SearchBody,
    UnsupportedOut,
)
from app.generation.messages import Sampling
from app.grounding.citations import Citation
from app.grounding.markers import Span
from app.prompting.elements import Example, Overrides
from app.prompting.stored_prompts import StoredPrompt
from app.prompting.token_budget import Prompt
from app.questions import Answer, Preview, Question
from app.retrieval.match import Match
from app.retrieval.search import SearchOptions
from app.storage.filter_json import in_collection
from app.storage.filters import All


def search_options_of(body: SearchBody | QueryBody) -> SearchOptions:
    where = filter_of(body.filters) if body.filters else None
    if body.collection is not None:
        within = in_collection([body.collection])
        where = within if where is None else All([within, where])
    return SearchOptions(
        top_k=body.top_k,
        mode=body.mode,
        where=where,
        min_score=body.min_score,
        rerank=body.rerank,
        per_document=body.per_document,
        neighbours=body.neighbours,
        explain=body.explain,
    )


def question_of(body: QueryBody) -> Question:
    sampling = {name: getattr(body, name) for name in ("temperature", "top_p", "min_p", "max_tokens", "stop", "seed")}
    return Question(
        input=body.input,
        search=search_options_of(body),
        prompt=body.prompt,
        overrides=overrides_of(body, {**sampling, "top_k": body.top_k_sampling}),
        turns=[{"role": turn.role, "content": turn.content} for turn in body.messages],
        adapter=body.adapter,
        language=body.language,
        decompose=body.decompose,
        check=body.grounding_check,
        min_answerability=body.min_answerability,
        schema=body.response_format.json_schema.json_schema if body.response_format else None,
    )


def overrides_of(body: ElementsBody, sampling: Mapping[str, Any]) -> Overrides:
    examples = body.examples
    own = {name: getattr(body, name) for name in ElementsBody.model_fields if name != "examples"}
    return Overrides(
        **own,
        examples=None if examples is None else [Example(each.input, each.output, each.context) for each in examples],
        sampling=Sampling(**{name: value for name, value in sampling.items() if value is not None}),  # type: ignore[typeddict-item]
    )


def answer_out(answer: Answer) -> AnswerOut:
    grounded = answer.grounded
    return AnswerOut(
        id=answer.id,
        answer=grounded.text,
        answer_mode=grounded.mode,
        finish_reason=answer.finish_reason,
        no_answer_reason=grounded.no_answer_reason,
        titles=list(grounded.titles),
        citations=[citation_out(citation) for citation in grounded.citations],
        unsupported=[
            UnsupportedOut(start=span.start, end=span.end, reason=grounded.reasons[span])
            for span in grounded.unsupported
        ],
        unchecked=[_span(span) for span in grounded.unchecked],
        answerability=_rounded(answer.answerability.score) if answer.answerability else None,
        contexts=contexts_out(answer.contexts),
        prompt=prompt_out(answer.prompt, answer.stored),
        usage=usage_out(answer),
        timings_ms=answer.timings_ms,
        model=answer.model,
        adapter=answer.adapter,
        reasoning=answer.reasoning or None,
        search_query=answer.search_query,
        fallback=answer.fallback,
        logged=answer.logged,
        explain=_explained(answer),
    )


def usage_out(answer: Answer) -> dict[str, int]:
    """Count what the engine's own judgements took among both, and once more by themselves."""
    counted = [each for each in (answer.generation, answer.answerability, answer.review) if each is not None]
    usage = {
        "prompt_tokens": sum(each.prompt_tokens for each in counted),
        "completion_tokens": sum(each.completion_tokens for each in counted),
    }
    if answer.answerability is not None:
        usage["answerability_tokens"] = answer.answerability.prompt_tokens + answer.answerability.completion_tokens
    if answer.review is not None:
        usage["check_tokens"] = answer.review.prompt_tokens + answer.review.completion_tokens
    return usage


def dry_run_out(preview: Preview) -> DryRunOut:
    return DryRunOut(
        messages=[{"role": each["role"], "content": each["content"]} for each in preview.prompt.messages],
        prompt=prompt_out(preview.prompt, preview.stored),
        contexts=contexts_out(preview.contexts),
        search_query=preview.search_query,
        explain=_explained(preview),
    )


def _explained(shown: Answer | Preview) -> ExplanationOut | None:
    """Return the explanation, if it was asked for."""
    if shown.explanation is None:
        return None
    return explanation_out(shown.explanation.trace, shown.contexts, shown.prompt, shown.explanation.elements)


def prompt_out(prompt: Prompt, stored: StoredPrompt | None) -> PromptOut:
    return PromptOut(
        name=stored.name if stored else None,
        version=stored.version if stored else None,
        tokens=prompt.tokens,
        dropped_contexts=prompt.dropped_contexts,
        dropped_messages=prompt.dropped_messages,
        cut_messages=prompt.cut_messages,
    )


def citation_out(citation: Citation) -> CitationOut:
    match = citation.match
    return CitationOut(
        marker=citation.marker,
        chunk_id=match.chunk_id,
        document_id=match.document_id,
        source=match.source,
        title=match.title,
        page=match.page,
        pages=pages_of(match),
        headings=match.path_at(citation.chunk_span.start),
        quote=citation.quote,
        score=match.score,
        support=round(citation.support, 4),
        reason=citation.reason,
        answer_span=_span(citation.answer_span),
        chunk_span=_span(citation.chunk_span),
    )


def contexts_out(matches: Sequence[Match]) -> list[ContextOut]:
    return [
        ContextOut(
            chunk_id=match.chunk_id,
            document_id=match.document_id,
            source=match.source,
            title=match.title,
            page=match.page,
            pages=pages_of(match),
            headings=match.path,
            text=match.text,
            score=match.score,
            rank=rank,
            metadata=match.metadata,
            span=SpanOut(start=match.start, end=match.stop),
            header=header_out(match.header),
            rerank_score=match.rerank_score,
            neighbour_of=match.neighbour_of,
        )
        for rank, match in enumerate(matches, start=1)
    ]


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _span(span: Span) -> SpanOut:
    return SpanOut(start=span.start, end=span.end)
