"""Find the chunks that bear on a question: by meaning, by words, or by both."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

from app import tracing
from app.concurrency import in_background
from app.embedding import Encoder, Translation, Vectors
from app.errors import InvalidInput
from app.language.analyzer import Analyzer
from app.language.courtesy import bare_question
from app.language.passage_language import MARKS
from app.language.question_language import OTHER, language_of
from app.retrieval.admission import SearchAdmission
from app.retrieval.chunks import read_matches, read_neighbours, within_page
from app.retrieval.copies import Seen, Standing, chosen
from app.retrieval.depths import depths
from app.retrieval.fusion import fuse, merge
from app.retrieval.live_spaces import OpenSpace, OpenSpaces
from app.retrieval.match import Hit, Match
from app.retrieval.protocols import CountEmbedded, Holds, LexicalSearch, ReadMatches, ReadNeighbours, Snapshots
from app.retrieval.reordering import FIRST, first_reranked, reranked
from app.retrieval.reranking import Reranker
from app.retrieval.stores import bm25
from app.retrieval.trace import MORE, Trace
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber
from app.timings import StepTimer

Mode = Literal["dense", "lexical", "hybrid"]

RERANKED = 50


@dataclass(frozen=True, slots=True)
class SearchOptions:
    top_k: int = 5
    mode: Mode = "hybrid"
    where: Filter | None = None
    min_score: float | None = None
    rerank: bool | None = None
    """Whether a reranker ranks many, or not at all; by default the first few change places if there is one."""
    copies: bool = True
    """Whether copies of other matches fill up what nothing else does."""
    per_document: int | None = None
    """The most hits of one document, as long as there are others."""
    neighbours: int = 0
    """How many chunks before and after each hit come with it."""
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    matches: list[Match]
    """The hits, then their neighbours."""
    dropped_by_min_score: bool
    cut: bool = False
    """Whether more was found than is within the size of a page."""
    trace: Trace = field(default_factory=Trace)


class Retriever:
    def __init__(
        self,
        database: Snapshots,
        spaces: OpenSpaces,
        analyzer: Analyzer,
        reranker: Reranker | None,
        dense_weight: float,
        admission: SearchAdmission | None = None,
        *,
        lexical: LexicalSearch = bm25.search,
        holds: Holds = bm25.holds,
        read: ReadMatches = read_matches,
        read_neighbours: ReadNeighbours = read_neighbours,
        reranked_languages: Collection[str] = ("en", "ko"),
        count: CountEmbedded | None = None,
    ) -> None:
        self._database = database
        self._spaces = spaces
        self._analyzer = analyzer
        self._reranker = reranker
        self._languages = reranked_languages
        self._dense_weight = dense_weight
        self._admission = admission or SearchAdmission()
        self._lexical = lexical
        self._holds = holds
        self._read = read
        self._read_neighbours = read_neighbours
        self._count = count

    def refuse_if_full(self, tenant: TenantNumber) -> None:
        """Raise TooManyRequests if too many searches of this tenant wait."""
        self._admission.refuse_if_full(tenant)

    async def search(self, tenant: TenantNumber, text: str, options: SearchOptions, timer: StepTimer) -> Found:
        """Return matches, best first.

        Dense and hybrid return min(top_k, matching chunks); lexical returns only chunks that contain a query term.
        Copies of better matches come where nothing else is left. A score is the cosine (dense), BM25's (lexical), the
        fused one, at most 1 (hybrid), or with `rerank` the reranker's. Raises InvalidInput if reranking is asked for
        and no reranker is configured, RerankerUnavailable if it does not answer then, TooManyRequests if too many
        searches of this tenant wait, Overloaded when its time is over.
        """
        if options.rerank and self._reranker is None:
            raise InvalidInput(
                "No reranker is configured: leave 'rerank' out, or set KYUJANG_RERANKER or KYUJANG_RERANKER_URL.",
                pointer="/rerank",
            )
        trace = Trace()
        async with AsyncExitStack() as held:
            async with self._admission.deadline():
                await held.enter_async_context(self._admission.slot(tenant))
                matches = await self._matches(tenant, text, options, timer, trace)
            if options.rerank and self._reranker is not None:
                with timer.step("rerank"):
                    trace.reranked = await reranked(self._reranker, tenant, text, matches)
                matches = trace.reranked[: options.top_k]
            kept = [match for match in matches if options.min_score is None or match.score >= options.min_score]
            trace.looked_at, dropped = matches, len(kept) < len(matches)
            if self._reorders(options) and self._reranker is not None:
                with timer.step("rerank"):
                    kept = await first_reranked(self._reranker, self._languages, tenant, text, kept)
                trace.reranked = kept
        trace.good, kept = kept, kept[: options.top_k]
        every = [*kept, *await self._beside(tenant, kept, options, timer)]
        first = within_page(every)
        trace.kept, trace.used = every, first
        return Found(first, dropped_by_min_score=dropped, cut=len(first) < len(every), trace=trace)

    def _reorders(self, options: SearchOptions) -> bool:
        return options.rerank is None and self._reranker is not None

    async def _beside(
        self, tenant: TenantNumber, hits: Sequence[Match], options: SearchOptions, timer: StepTimer
    ) -> list[Match]:
        if not (hits and options.neighbours):
            return []
        with timer.step("neighbours"):
            async with self._admission.deadline(), self._database.snapshot(tenant) as snapshot:
                return await self._read_neighbours(snapshot, tenant, hits, options.neighbours)

    async def _matches(
        self, tenant: TenantNumber, text: str, options: SearchOptions, timer: StepTimer, trace: Trace
    ) -> list[Match]:
        space, vector, terms = self._spaces.current, None, None
        bare = await asyncio.to_thread(bare_question, text)
        with timer.step("embed"):
            if options.mode != "lexical":
                vector = await _embed(space, bare, tenant)
                if self._count is not None:
                    tokens = await asyncio.to_thread(_tokens, space.embedder.encoder, bare)
                    self._count(tenant, embedded_tokens=tokens)
        with timer.step("search"):
            if options.mode != "dense":
                terms = await asyncio.to_thread(self._analyzer.terms, bare)
            async with self._database.snapshot(tenant) as snapshot:
                active, holds_other = await self._state(snapshot, tenant, bare, options.mode)
                if vector is not None and active is not space:
                    # Another embedding model since: its vectors want its query.
                    space, vector = active, await _embed(active, bare, tenant)
                moved = await space.translator.translation(language_of(bare)) if holds_other else None
                trace.terms, trace.translated = terms or (), moved is not None
                matches: list[Match] = []
                for depth in depths(self._wanted(options), wide=options.mode != "dense" or options.explain):
                    hits = await self._hits(snapshot, tenant, space, vector, moved, terms, options, depth, trace)
                    matches, enough = await self._varied(snapshot, tenant, hits, bare, options, trace)
                    if enough or len(hits) < depth:
                        break
                if options.explain:
                    trace.read += await self._read(snapshot, tenant, hits[len(trace.read) :][:MORE])
                return matches

    async def _state(
        self, snapshot: Snapshot, tenant: TenantNumber, question: str, mode: Mode
    ) -> tuple[OpenSpace, bool]:
        """Return the active space, and for a hybrid search whether passages are in the other language, at once."""
        if mode != "hybrid":
            return (self._spaces.current if mode == "lexical" else await self._spaces.active_in(snapshot)), False
        holding = self._holds(snapshot, tenant, MARKS[OTHER[language_of(question)]])
        async with in_background(holding) as holds:
            return await self._spaces.active_in(snapshot), await holds

    async def _hits(
        self,
        snapshot: Snapshot,
        tenant: TenantNumber,
        space: OpenSpace,
        vector: Vectors | None,
        moved: Translation | None,
        terms: Sequence[str] | None,
        options: SearchOptions,
        depth: int,
        trace: Trace,
    ) -> Sequence[Hit]:
        if terms is not None:
            with tracing.span("search by words"):
                trace.lexical = await self._lexical(snapshot, tenant, terms, depth, options.where)
        if vector is None:
            return trace.lexical
        with tracing.span("search by meaning"):
            dense: Sequence[Hit] = await space.store.search(snapshot, tenant, vector, depth, options.where)
        if moved is not None:
            other = await space.store.search(snapshot, tenant, moved.of(vector), depth, options.where)
            dense = merge(dense, other, level=moved.level, top_k=depth)
        trace.dense = dense
        if terms is None:
            return dense
        with tracing.span("fuse"):
            trace.fused = fuse(dense, trace.lexical, dense_weight=self._dense_weight, top_k=depth)
        return trace.fused

    def _wanted(self, options: SearchOptions) -> int:
        return max(RERANKED if options.rerank else FIRST if self._reorders(options) else 0, options.top_k)

    async def _varied(
        self,
        snapshot: Snapshot,
        tenant: TenantNumber,
        hits: Sequence[Hit],
        question: str,
        options: SearchOptions,
        trace: Trace,
    ) -> tuple[list[Match], bool]:
        """Read the best hits that add something; say whether there are as many as wanted."""
        wanted = self._wanted(options)
        seen, read, standings = Seen(question, options.per_document), list[Match](), list[Standing]()
        while standings.count(Standing.NEW) < wanted and len(read) < len(hits):
            batch = await self._read(snapshot, tenant, hits[len(read) : len(read) + wanted])
            read += batch
            standings += map(seen.standing, batch)
        trace.read, trace.standings = read, standings
        enough = standings.count(Standing.NEW) >= wanted
        return chosen(read, standings, wanted, copies=options.copies), enough


def _tokens(encoder: Encoder, text: str) -> int:
    """Return how many of the text the model sees."""
    return min(encoder.max_tokens, *encoder.count_tokens([text]))


async def _embed(space: OpenSpace, text: str, tenant: TenantNumber) -> Vectors:
    vector: Vectors = (await space.embedder.embed([text], "query", tenant))[0]
    return vector
