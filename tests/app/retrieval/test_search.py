"""The retriever over a corpus in memory, with a model and a reranker made up: neither PostgreSQL nor a real one."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from app.embedding import Translation
from app.errors import InvalidInput, Overloaded, RerankerUnavailable, TooManyRequests
from app.language.analyzer import Analyzer
from app.retrieval import reordering
from app.retrieval.admission import SearchAdmission
from app.retrieval.live_spaces import OpenSpace
from app.retrieval.match import TermHit
from app.retrieval.search import Retriever, SearchOptions
from app.storage.filters import Is, Metadata
from app.timings import StepTimer
from tests.contract.corpus import Document
from tests.contract.in_memory import InMemoryStore, MemoryCorpus, documents_of, holds

ANALYZER = Analyzer("bigrams")
QUESTION = "annals moat"
# By meaning the moat is nearest, then the annals; by words the annals hold both of the question's, the gate none.
TEXTS = {"moat": "moat water", "annals": "annals moat", "gate": "wooden door"}
VECTORS = {"moat": [1.0, 0.0], "annals": [0.8, 0.6], "gate": [0.0, 1.0]}
ASKED = np.array([1.0, 0.0], np.float32)


class MadeUpModel:
    """Embeds each text as `vector`; `asked` is what it was given."""

    def __init__(self, vector: np.ndarray = ASKED) -> None:
        self._vector = vector
        self.asked: list[tuple[list[str], str]] = []

    async def embed(self, texts, kind, tenant):
        self.asked.append((list(texts), kind))
        return np.stack([self._vector for _ in texts])


class Spaces:
    """`active` is what each snapshot finds, whatever is current in this process."""

    def __init__(self, current: OpenSpace, active: OpenSpace | None = None) -> None:
        self.current = current
        self._active = active or current

    async def active_in(self, snapshot) -> OpenSpace:
        return self._active


class ByLength:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def scores(self, question, texts, tenant):
        self.texts = list(texts)
        return [-float(len(text)) for text in texts]


async def lexical(snapshot, tenant, terms, top_k, where):
    """`coverage` is the share of the question's words that a chunk holds."""
    hits = []
    for document, chunks in documents_of(snapshot).values():
        for chunk, text in zip(chunks, document.texts, strict=True):
            held = len(set(terms) & set(ANALYZER.terms(text))) / len(set(terms))
            if held and (where is None or holds(where, document)):
                hits.append(TermHit(chunk, 10 * held, held))
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk))[:top_k]


async def no_other_language(snapshot, tenant, term):
    return False


def space(number: int = 1, model: MadeUpModel | None = None, store=None) -> OpenSpace:
    return OpenSpace(number, model or MadeUpModel(), store or InMemoryStore())


@pytest.fixture
async def corpus() -> MemoryCorpus:
    """Tenant 1 has three documents, tenant 2 has one."""
    corpus = MemoryCorpus()
    for ids in (("moat", "annals", "gate"), ("gate",)):
        tenant = await corpus.new_tenant()
        for id_ in ids:
            vectors = np.array([VECTORS[id_]], np.float32)
            await corpus.put(tenant, Document(id_, vectors, {"id": id_}, texts=[TEXTS[id_]]))
    return corpus


@pytest.fixture
def retriever(corpus):
    def make(
        spaces=None, reranker=None, dense_weight=0.5, admission=None, marked=no_other_language, **options
    ) -> Retriever:
        spaces, ports = spaces or Spaces(space()), {"lexical": lexical, "holds": marked, "read": corpus.read}
        return Retriever(corpus, spaces, ANALYZER, reranker, dense_weight, admission, **ports, **options)

    return make


async def search(retriever: Retriever, tenant: int = 1, **options):
    return await retriever.search(tenant, QUESTION, SearchOptions(**options), StepTimer())


def found(result) -> dict[str, float]:
    return {match.document_id: match.score for match in result.matches}


async def test_dense_ranks_all_chunks_by_cosine(retriever):
    model = MadeUpModel()
    result = await search(retriever(Spaces(space(model=model))), mode="dense")
    assert list(found(result)) == ["moat", "annals", "gate"]
    assert found(result) == pytest.approx({"moat": 1.0, "annals": 0.8, "gate": 0.0})
    assert model.asked == [([QUESTION], "query")]


async def test_lexical_returns_only_chunks_with_a_term_and_embeds_nothing(retriever):
    model = MadeUpModel()
    result = await search(retriever(Spaces(space(model=model))), mode="lexical")
    assert list(found(result)) == ["annals", "moat"]
    assert found(result) == {"annals": 10.0, "moat": 5.0}
    assert model.asked == []


async def test_hybrid_fuses_cosine_and_squared_coverage(retriever):
    result = await search(retriever(), mode="hybrid")
    assert list(found(result)) == ["annals", "moat", "gate"]
    assert found(result) == pytest.approx({"annals": 0.9, "moat": 0.625, "gate": 0.0})
    by_meaning = await search(retriever(dense_weight=0.9), mode="hybrid")
    assert list(found(by_meaning)) == ["moat", "annals", "gate"]


class Moves:
    """A translator that moves each question to the gate."""

    def __init__(self) -> None:
        self.languages: list[str] = []

    async def translation(self, language):
        self.languages.append(language)
        return Translation(np.array([-1.0, 1.0], np.float32), level=0.25)


async def test_passages_in_the_other_language_are_found_by_the_moved_question(retriever):
    moves, marks = Moves(), []

    async def marked(snapshot, tenant, term):
        marks.append(term)
        return True

    model = space()
    model.__dict__["translator"] = moves
    both = retriever(Spaces(model), marked=marked, dense_weight=1.0)
    # The gate's cosine to the moved question is 1, which is the most; the annals' is 0.6, and 0.25 too low.
    assert found(await search(both)) == pytest.approx({"moat": 1.0, "gate": 1.0, "annals": 0.85})
    assert found(await search(both, mode="dense")) == pytest.approx({"moat": 1.0, "annals": 0.8, "gate": 0.0})
    await both.search(1, "해자는 어디인가요?", SearchOptions(), StepTimer())
    assert (marks, moves.languages) == (["=ko", "=en"], ["en", "ko"])


async def test_on_a_shelf_of_one_language_no_question_is_moved(retriever):
    model = space()
    model.__dict__["translator"] = moves = Moves()
    assert found(await search(retriever(Spaces(model), dense_weight=1.0)))["gate"] == pytest.approx(0.0)
    assert moves.languages == []


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_top_k_filter_and_tenant_hold_in_each_mode(retriever, mode):
    assert len((await search(retriever(), mode=mode, top_k=1)).matches) == 1
    only = await search(retriever(), mode=mode, where=Is(Metadata("id"), ["moat"]))
    assert list(found(only)) == ["moat"]
    other = await search(retriever(), tenant=2, mode=mode)
    assert list(found(other)) == ([] if mode == "lexical" else ["gate"])
    assert found(await search(retriever(), tenant=3, mode=mode)) == {}


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_copies_give_way_to_the_next_best(corpus, retriever, mode):
    for number in range(8):
        again = Document(f"moat-{number}", np.array([VECTORS["moat"]], np.float32), {}, texts=[TEXTS["moat"]])
        await corpus.put(1, again)
    varied = await search(retriever(), mode=mode, top_k=2)
    assert {match.text for match in varied.matches} == {TEXTS["moat"], TEXTS["annals"]}
    assert len((await search(retriever(), mode=mode, top_k=9)).matches) == 9
    texts = [match.text for match in (await search(retriever(), mode=mode, top_k=9, copies=False)).matches]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
async def test_even_a_hundred_copies_give_way(corpus, retriever, mode):
    for number in range(120):
        again = Document(f"moat-{number}", np.array([VECTORS["moat"]], np.float32), {}, texts=[TEXTS["moat"]])
        await corpus.put(1, again)
    assert {match.text for match in (await search(retriever(), mode=mode, top_k=3)).matches} == set(TEXTS.values())


async def test_no_document_takes_more_than_its_share_while_there_are_others(corpus, retriever):
    vectors = np.array([VECTORS["moat"]] * 4, np.float32)
    texts = [f"moat number {number} is deep" for number in range(4)]
    await corpus.put(1, Document("moats", vectors, {}, texts=texts))
    plain = await search(retriever(), mode="dense", top_k=4)
    assert [match.document_id for match in plain.matches].count("moats") >= 3
    shared = await search(retriever(), mode="dense", top_k=4, per_document=1)
    assert sorted(match.document_id for match in shared.matches) == ["annals", "gate", "moat", "moats"]
    assert [match.score for match in shared.matches] == sorted((m.score for m in shared.matches), reverse=True)
    assert len((await search(retriever(), mode="dense", top_k=7, per_document=1, copies=False)).matches) == 7


async def test_neighbours_come_after_the_hits_that_min_score_leaves(corpus):
    asked = []

    async def beside(snapshot, tenant, hits, reach):
        asked.append(([hit.document_id for hit in hits], reach))
        return [dataclasses.replace(hit, chunk_id="beside", neighbour_of=hit.chunk_id) for hit in hits]

    ports = {"lexical": lexical, "holds": no_other_language, "read": corpus.read, "read_neighbours": beside}
    retriever = Retriever(corpus, Spaces(space()), ANALYZER, None, 0.5, **ports)
    result = await search(retriever, mode="dense", min_score=0.7, neighbours=2)
    assert asked == [(["moat", "annals"], 2)]
    assert [bool(match.neighbour_of) for match in result.matches] == [False, False, True, True]
    assert result.dropped_by_min_score
    assert len((await search(retriever, mode="dense", min_score=0.7)).matches) == 2
    assert (await search(retriever, mode="dense", min_score=1.5, neighbours=2)).matches == []
    assert len(asked) == 1


async def test_min_score_drops_matches_and_says_so(retriever):
    kept = await search(retriever(), mode="dense", min_score=0.8 - 1e-6)
    assert (list(found(kept)), kept.dropped_by_min_score) == (["moat", "annals"], True)
    every = await search(retriever(), mode="dense", min_score=0.0)
    assert (len(every.matches), every.dropped_by_min_score) == (3, False)
    none = await search(retriever(), mode="dense", min_score=1.5)
    assert (none.matches, none.dropped_by_min_score) == ([], True)


async def test_without_a_reranker_reranking_is_refused(retriever):
    with pytest.raises(InvalidInput) as refused:
        await search(retriever(), rerank=True)
    assert refused.value.errors[0]["pointer"] == "/rerank"


async def test_a_reranker_sees_more_than_top_k_and_its_scores_decide(retriever):
    reranker = ByLength()
    result = await search(retriever(reranker=reranker), mode="dense", top_k=1, rerank=True)
    assert sorted(reranker.texts) == sorted(TEXTS.values())
    assert found(result) == {"moat": -float(len(TEXTS["moat"]))}
    beyond = await search(retriever(reranker=reranker), mode="dense", rerank=True, min_score=-10.5)
    assert (list(found(beyond)), beyond.dropped_by_min_score) == (["moat"], True)
    reranker.texts = []
    await search(retriever(reranker=reranker), mode="dense", rerank=False)
    assert reranker.texts == []


async def test_unasked_the_first_five_change_places_and_keep_their_scores(corpus, retriever):
    scores = {"moat": 1.0, "sixth": -0.5, "annals": 0.8, "gate": 0.0}
    far = np.array([[-0.5, 3**0.5 / 2]], np.float32)
    for id_ in ("fourth", "fifth", "sixth"):
        await corpus.put(1, Document(id_, far if id_ == "sixth" else 0.1 * far, {}, texts=[f"{id_} text on its own"]))
    by_length = ByLength()
    result = await search(retriever(reranker=by_length), mode="dense", top_k=6)
    assert len(by_length.texts) == 5
    assert [len(match.text) for match in result.matches[:5]] == sorted(map(len, by_length.texts))
    assert result.matches[5].document_id == "sixth"
    assert {name: found(result)[name] for name in scores} == pytest.approx(scores)
    assert [match.rerank_score for match in result.matches] == [
        *(-float(len(m.text)) for m in result.matches[:5]),
        None,
    ]
    told = result.trace.candidates()
    assert [each.match.chunk_id for each in told] == [match.chunk_id for match in result.matches]
    assert [each.reranked and each.reranked.rank for each in told] == [1, 2, 3, 4, 5, None]
    # The best of the five is wanted, though only one place is asked for.
    one = await search(retriever(reranker=Favours("gate")), mode="dense", top_k=1)
    assert found(one) == pytest.approx({"gate": 0.0})
    kept = await search(retriever(reranker=Favours("gate")), mode="dense", min_score=0.7)
    assert list(found(kept)) == ["moat", "annals"]


class Favours(ByLength):
    def __init__(self, id_: str) -> None:
        super().__init__()
        self._text = TEXTS[id_]

    async def scores(self, question, texts, tenant):
        self.texts = list(texts)
        return [float(text == self._text) for text in texts]


async def test_a_language_that_the_reranker_does_not_know_keeps_its_order(corpus, retriever):
    reranker = Favours("gate")
    english = retriever(reranker=reranker, reranked_languages=["en"])
    korean = await english.search(1, "해자는 어디에 있나요?", SearchOptions(mode="dense"), StepTimer())
    assert (next(iter(found(korean))), reranker.texts) == ("moat", [])
    assert next(iter(found(await search(english, mode="dense")))) == "gate"
    await corpus.put(1, Document("해자", np.array([[0.9, 0.1]], np.float32), {}, texts=["해자는 깊습니다."]))
    assert next(iter(found(await search(english, mode="dense")))) == "moat"
    both = retriever(reranker=reranker)
    assert next(iter(found(await search(both, mode="dense")))) == "gate"


@pytest.mark.parametrize("fault", [RerankerUnavailable("away"), None])
async def test_a_reranker_that_is_away_or_late_holds_up_nothing_unasked(retriever, monkeypatch, fault):
    class Broken(ByLength):
        async def scores(self, question, texts, tenant):
            if fault is None:
                await asyncio.Event().wait()
            raise fault

    monkeypatch.setattr(reordering, "FIRST_TIMEOUT_S", 0.01)
    assert list(found(await search(retriever(reranker=Broken()), mode="dense"))) == ["moat", "annals", "gate"]
    if fault:
        with pytest.raises(RerankerUnavailable):
            await search(retriever(reranker=Broken()), mode="dense", rerank=True)


async def test_a_title_is_reranked_with_its_text(corpus, retriever, monkeypatch):
    reranker, read = ByLength(), corpus.read

    async def titled(snapshot, tenant, hits):
        return [dataclasses.replace(match, title="Title") for match in await read(snapshot, tenant, hits)]

    monkeypatch.setattr(corpus, "read", titled)
    await search(retriever(reranker=reranker), mode="dense", rerank=True)
    assert sorted(reranker.texts) == sorted(f"Title\n{text}" for text in TEXTS.values())


async def test_a_question_embedded_for_the_space_before_a_switch_is_embedded_again(retriever):
    """The old model's vector points at the gate; the new one's store must not be asked with it."""
    before, after = MadeUpModel(np.array([0.0, 1.0], np.float32)), MadeUpModel()
    spaces = Spaces(space(1, before), active=space(2, after))
    result = await search(retriever(spaces), mode="dense", top_k=1)
    assert list(found(result)) == ["moat"]
    assert before.asked == after.asked == [([QUESTION], "query")]


async def test_each_step_is_timed(retriever):
    timer = StepTimer()
    await retriever(reranker=ByLength()).search(1, QUESTION, SearchOptions(rerank=True), timer)
    assert {step for step, taken in timer.ms.items() if taken} <= {"embed", "search", "rerank"}
    assert timer.ms["search"] > 0


class SlowModel(MadeUpModel):
    """Embeds when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.tenants: list[int] = []

    async def embed(self, texts, kind, tenant):
        self.tenants.append(tenant)
        await self.go.wait()
        return await super().embed(texts, kind, tenant)


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_tenants_searches_leave_room_for_anothers(retriever):
    model = SlowModel()
    slow = retriever(Spaces(space(model=model)), admission=SearchAdmission(total=3, per_tenant=2, queue=5))
    flood = [asyncio.create_task(search(slow, tenant=1, mode="dense")) for _ in range(7)]
    await settled()
    with pytest.raises(TooManyRequests, match="5 are waiting"):
        await search(slow, tenant=1, mode="lexical")
    other = asyncio.create_task(search(slow, tenant=2, mode="dense"))
    async with asyncio.timeout(10):
        while len(model.tenants) < 3:
            await asyncio.sleep(0.01)
    assert model.tenants == [1, 1, 2]
    model.go.set()
    assert list(found(await other)) == ["gate"]
    assert len(await asyncio.gather(*flood)) == 7


async def test_a_search_that_takes_too_long_is_an_overload(retriever):
    model = SlowModel()
    slow = retriever(Spaces(space(model=model)), admission=SearchAdmission(per_tenant=1, timeout_s=0.05))
    late = await asyncio.gather(*(search(slow, mode="dense") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in late] == [Overloaded] * 3
    assert (late[0].status, late[0].headers["Retry-After"]) == (503, "5")
    model.go.set()
    assert list(found(await search(slow, mode="dense"))) == ["moat", "annals", "gate"]


async def test_an_abandoned_search_leaves_the_queue(retriever):
    model = SlowModel()
    slow = retriever(Spaces(space(model=model)), admission=SearchAdmission(per_tenant=1, queue=1))
    flood = [asyncio.create_task(search(slow, mode="dense")) for _ in range(2)]
    await settled()
    for each in flood:
        each.cancel()
    await settled()
    model.go.set()
    assert list(found(await search(slow, mode="dense"))) == ["moat", "annals", "gate"]
    assert len(model.asked) == 1
