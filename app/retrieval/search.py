"""Which chunks bear on a question: by meaning, by words, or by both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.embedding import Vectors
from app.errors import InvalidInput
from app.retrieval.chunks import read_matches
from app.retrieval.fusion import fuse
from app.retrieval.match import Hit, Match
from app.retrieval.reranking import Reranker
from app.retrieval.stores import VectorStore, bm25
from app.services import Services
from app.storage.database import Connection
from app.storage.filters import Condition
from app.storage.spaces import active_number
from app.storage.tenants import Tenant
from app.tenancy import TenantNumber
from app.timings import StepTimer

Mode = Literal["dense", "lexical", "hybrid"]

# What each leg brings to the fusion. Anything from 30 to 200 ranks the same (docs/decisions/0005).
DEPTH = 100
RERANKED = 50


@dataclass(frozen=True, slots=True)
class Retrieval:
    top_k: int = 5
    mode: Mode = "hybrid"
    where: Condition | None = None
    min_score: float | None = None
    rerank: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """`below` tells that `min_score` took matches away."""

    matches: list[Match]
    below: bool


async def retrieve(services: Services, tenant: Tenant, text: str, wanted: Retrieval, clock: StepTimer) -> Found:
    """Best first. By meaning and by both min(top_k, matching chunks); by words only those that hold one.

    A score is the cosine (dense), BM25's (lexical), the fused one, at most 1 (hybrid), or the reranker's. Raises
    InvalidInput if reranking is asked for and there is nothing to do it.
    """
    if wanted.rerank and services.reranker is None:
        raise InvalidInput(
            "No reranker is configured: leave 'rerank' out, or set KYUJANG_RERANKER or KYUJANG_RERANKER_URL.",
            pointer="/rerank",
        )
    space, vector, terms = services.spaces.current, None, None
    with clock.step("embed"):
        if wanted.mode != "lexical":
            vector = (await space.embedder.embed([text], "query"))[0]
    with clock.step("search"):
        if wanted.mode != "dense":
            terms = await asyncio.to_thread(services.analyzer.terms, text)
        async with services.database.snapshot(tenant.number) as connection:
            if vector is not None and (active := services.spaces.at(await active_number(connection))) is not space:
                # Another embedding model since: its vectors want its query.
                space, vector = active, (await active.embedder.embed([text], "query"))[0]
            hits = await _hits(services, connection, tenant.number, space.store, vector, terms, wanted)
            matches = await read_matches(connection, tenant.number, hits)
    if wanted.rerank and services.reranker is not None:
        with clock.step("rerank"):
            matches = (await _reranked(services.reranker, text, matches))[: wanted.top_k]
    kept = [match for match in matches if wanted.min_score is None or match.score >= wanted.min_score]
    return Found(kept, below=len(kept) < len(matches))


async def _hits(
    services: Services,
    connection: Connection,
    tenant: TenantNumber,
    store: VectorStore,
    vector: Vectors | None,
    terms: Sequence[str] | None,
    wanted: Retrieval,
) -> Sequence[Hit]:
    top_k = max(RERANKED, wanted.top_k) if wanted.rerank else wanted.top_k
    if vector is None:
        return await bm25.search(connection, tenant, terms or [], top_k, wanted.where)
    if terms is None:
        return await store.search(connection, tenant, vector, top_k, wanted.where)
    depth = max(DEPTH, top_k)
    dense = await store.search(connection, tenant, vector, depth, wanted.where)
    lexical = await bm25.search(connection, tenant, terms, depth, wanted.where)
    return fuse(dense, lexical, dense_weight=services.settings.dense_weight, top_k=top_k)


async def _reranked(reranker: Reranker, text: str, matches: Sequence[Match]) -> list[Match]:
    if not matches:
        return []
    scores = await reranker.scores(
        text, [f"{match.title}\n{match.text}" if match.title else match.text for match in matches]
    )
    scored = [replace(match, score=score) for match, score in zip(matches, scores, strict=True)]
    return sorted(scored, key=lambda match: (-match.score, match.chunk_id))
