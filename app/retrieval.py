"""Which chunks bear on a question: by meaning, by words, or by both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app import documents
from app.clock import Clock
from app.database import Connection
from app.embedding import Vectors
from app.filters import Condition
from app.fusion import fuse
from app.services import Services
from app.stores import Hit, Match, postings
from app.tenants import Tenant

Mode = Literal["dense", "lexical", "hybrid"]

# What each leg brings to the fusion. Anything from 30 to 200 ranks the same (docs/decisions/0005).
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Retrieval:
    top_k: int = 5
    mode: Mode = "hybrid"
    where: Condition | None = None
    min_score: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`below` tells that `min_score` took matches away."""

    matches: list[Match]
    below: bool


async def retrieve(services: Services, tenant: Tenant, text: str, wanted: Retrieval, clock: Clock) -> Found:
    """Best first. By meaning and by both min(top_k, matching chunks); by words only those that hold one.

    A score is the cosine (dense), BM25's (lexical), or the fused one, at most 1 (hybrid).
    """
    vector, terms = None, None
    with clock.step("embed"):
        if wanted.mode != "lexical":
            vector = (await services.embedder.embed([text], "query"))[0]
    with clock.step("search"):
        if wanted.mode != "dense":
            terms = await asyncio.to_thread(services.analyzer.terms, text)
        async with services.database.snapshot(tenant.number) as connection:
            hits = await _hits(services, connection, tenant.number, vector, terms, wanted)
            matches = await documents.matches(connection, tenant.number, hits)
    kept = [match for match in matches if wanted.min_score is None or match.score >= wanted.min_score]
    return Found(kept, below=len(kept) < len(matches))


async def _hits(
    services: Services,
    connection: Connection,
    tenant: int,
    vector: Vectors | None,
    terms: Sequence[str] | None,
    wanted: Retrieval,
) -> Sequence[Hit]:
    if vector is None:
        return await postings.search(connection, tenant, terms or [], wanted.top_k, wanted.where)
    if terms is None:
        return await services.store.search(connection, tenant, vector, wanted.top_k, wanted.where)
    depth = max(DEPTH, wanted.top_k)
    dense = await services.store.search(connection, tenant, vector, depth, wanted.where)
    lexical = await postings.search(connection, tenant, terms, depth, wanted.where)
    return fuse(dense, lexical, dense_weight=services.settings.dense_weight, top_k=wanted.top_k)
