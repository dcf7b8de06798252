"""The best hit's score of each question, as `python -m app eval --calibrate` asks the running service for it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from app.cli.client import ServiceRefused, call
from app.evaluation.calibration import TopScore
from app.evaluation.questions import BadFile, Query, Unanswerable
from app.evaluation.service import SearchMode, in_parallel
from app.language.hangul import HAS_HANGUL

# The cosine and the fused score mean the same from one question to the next; BM25's does not.
DEFAULT_MODES = ("dense", "hybrid")
KOREAN, OTHER = "Korean", "not Korean"


def top_scores(
    client: httpx.Client, questions: Sequence[Query | Unanswerable], modes: Sequence[SearchMode], clients: int
) -> list[TopScore]:
    """Return the best scores of all questions. Raises BadFile for a question that the service refuses."""

    def ask(question: Query | Unanswerable) -> TopScore:
        return TopScore(
            query_id=question.id,
            language=KOREAN if HAS_HANGUL.search(question.text) else OTHER,
            kind=question.kind if isinstance(question, Unanswerable) else None,
            scores={mode.name: _top_score(client, question, mode) for mode in modes},
        )

    return list(in_parallel(ask, questions, clients, "question"))


def _top_score(client: httpx.Client, question: Query | Unanswerable, mode: SearchMode) -> float | None:
    try:
        found = call(client, "POST", "/search", json={"input": question.text, **mode.fields, "top_k": 1})["contexts"]
    except ServiceRefused as refused:
        if refused.status_code == 422:
            raise BadFile(f"Question {question.id!r} was refused with {refused.detail}") from None
        raise
    return float(found[0]["score"]) if found else None


def embedder_name(client: httpx.Client) -> str:
    """Ask the route that embeds: the details of /readyz are the operator's."""
    return str(call(client, "POST", "/v1/embeddings", json={"model": "default", "input": "?"})["model"])
