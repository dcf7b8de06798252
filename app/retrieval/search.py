"""Find the chunks that bear on a question: by meaning, by words, or by both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.embedding import Vectors
from app.errors import InvalidInput
from app.language.analyzer import Analyzer
from app.retrieval.chunks import read_matches
from app.retrieval.fusion import fuse
from app.retrieval.live_spaces import OpenSpace, OpenSpaces
from app.retrieval.match import Hit, Match
from app.retrieval.reranking import Reranker
from app.retrieval.stores import bm25
from app.storage.database import Connection, Database
from app.storage.filters import Filter
from app.storage.spaces import active_number
from app.tenancy import TenantNumber
from app.timings import StepTimer

Mode = Literal["dense", "lexical", "hybrid"]

# What each leg brings to the fusion. Anything from 30 to 200 ranks the same (docs/decisions/0005).
DEPTH = 100
RERANKED = 50


@dataclass(frozen=True, slots=True)
class SearchOptions:
    top_k: int = 5
    mode: Mode = "hybrid"
    where: Filter | None = None
    min_score: float | None = None
    rerank: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    matches: list[Match]
    dropped_by_min_score: bool


class Retriever:
    def __init__(
        self,
        database: Database,
        spaces: OpenSpaces,
        analyzer: Analyzer,
        reranker: Reranker | None,
        dense_weight: float,
    ) -> None:
        self._database = database
        self._spaces = spaces
        self._analyzer = analyzer
        self._reranker = reranker
        self._dense_weight = dense_weight

    async def search(self, tenant: TenantNumber, text: str, options: SearchOptions, timer: StepTimer) -> Found:
        """Return matches, best first.

        Dense and hybrid return min(top_k, matching chunks); lexical returns only chunks that contain a query term.
        A score is the cosine (dense), BM25's (lexical), the fused one, at most 1 (hybrid), or the reranker's. Raises
        InvalidInput if reranking is asked for and no reranker is configured.
        """
        if options.rerank and self._reranker is None:
            raise InvalidInput(
                "No reranker is configured: leave 'rerank' out, or set KYUJANG_RERANKER or KYUJANG_RERANKER_URL.",
                pointer="/rerank",
            )
        space, vector, terms = self._spaces.current, None, None
        with timer.step("embed"):
            if options.mode != "lexical":
                vector = await _embed(space, text)
        with timer.step("search"):
            if options.mode != "dense":
                terms = await asyncio.to_thread(self._analyzer.terms, text)
            async with self._database.snapshot(tenant) as connection:
                if vector is not None and (active := self._spaces.at(await active_number(connection))) is not space:
                    # Another embedding model since: its vectors want its query.
                    space, vector = active, await _embed(active, text)
                hits = await self._hits(connection, tenant, space, vector, terms, options)
                matches = await read_matches(connection, tenant, hits)
        if options.rerank and self._reranker is not None:
            with timer.step("rerank"):
                matches = (await _reranked(self._reranker, text, matches))[: options.top_k]
        kept = [match for match in matches if options.min_score is None or match.score >= options.min_score]
        return Found(kept, dropped_by_min_score=len(kept) < len(matches))

    async def _hits(
        self,
        connection: Connection,
        tenant: TenantNumber,
        space: OpenSpace,
        vector: Vectors | None,
        terms: Sequence[str] | None,
        options: SearchOptions,
    ) -> Sequence[Hit]:
        top_k = max(RERANKED, options.top_k) if options.rerank else options.top_k
        if vector is None:
            return await bm25.search(connection, tenant, terms or [], top_k, options.where)
        if terms is None:
            return await space.store.search(connection, tenant, vector, top_k, options.where)
        depth = max(DEPTH, top_k)
        dense = await space.store.search(connection, tenant, vector, depth, options.where)
        lexical = await bm25.search(connection, tenant, terms, depth, options.where)
        return fuse(dense, lexical, dense_weight=self._dense_weight, top_k=top_k)


async def _embed(space: OpenSpace, text: str) -> Vectors:
    vector: Vectors = (await space.embedder.embed([text], "query"))[0]
    return vector


async def _reranked(reranker: Reranker, text: str, matches: Sequence[Match]) -> list[Match]:
    if not matches:
        return []
    scores = await reranker.scores(
        text, [f"{match.title}\n{match.text}" if match.title else match.text for match in matches]
    )
    scored = [replace(match, score=score) for match, score in zip(matches, scores, strict=True)]
    return sorted(scored, key=lambda match: (-match.score, match.chunk_id))
