from __future__ import annotations

import asyncio

import pytest

from app.grounding.citations import Support, cite
from app.grounding.judge import EngineJudge, Judgement, review
from app.grounding.markers import Span
from app.retrieval.match import Match
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines


def match(text: str) -> Match:
    return Match("chk", "doc", None, None, None, text, 0.9, {}, 0, len(text))


SHELF = [
    match("Returns are accepted within 30 days of delivery. Opened items cannot be refunded."),
    match("개봉한 상품은 환불할 수 없습니다. 고객센터는 평일 9시부터 18시까지 운영합니다."),
]
PARAPHRASE = "You may send goods back for a month after you got your delivery."
NARROW = "Opened items cannot be refunded later anyhow."
KOREAN_PARAPHRASE = "뜯은 물건은 돈을 돌려받지 못합니다 [2]."


class Says:
    """A judge with an answer for every sentence, that takes down what it is asked."""

    def __init__(self, score: float | None, late: bool = False) -> None:
        self.score, self.late = score, late
        self.asked: list[str] = []

    async def judge(self, sentence: str) -> Judgement:
        self.asked.append(sentence)
        if self.late:
            await asyncio.Event().wait()
        return Judgement(self.score, 10, 1)


async def reviewed(answer: str, judge: Says, how: str = "auto", timeout_s: float = 30) -> Support:
    return (await review(judge, cite(answer, SHELF), SHELF, how, timeout_s=timeout_s)).support


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Returns are accepted within 60 days of delivery.", "number_differs"),
        ("Returns are not accepted within 30 days of delivery.", "negated"),
        ("Opened items can be refunded.", "negated"),
        ("개봉한 상품은 환불할 수 있습니다.", "negated"),
        ("고객센터는 평일 8시부터 18시까지 운영합니다.", "number_differs"),
        ("Returns are accepted within 30 days of delivery by Amazon.", "name_unknown"),
        (PARAPHRASE, "no_source"),
        ("The moon is made of green cheese.", "no_source"),
        ("달은 치즈로 되어 있습니다.", "no_source"),
    ],
)
def test_an_unsupported_sentence_says_why(answer: str, reason: str):
    support = cite(answer, SHELF)
    assert [support.reasons[span] for span in support.unsupported] == [reason]


def test_a_citation_says_how_much_of_the_sentence_it_has():
    (citation,) = cite("Opened items cannot be refunded.", SHELF).citations
    assert (citation.support, citation.reason) == (1, "words")


@pytest.mark.parametrize(
    ("answer", "marker", "quote"),
    [
        (PARAPHRASE, 1, "Returns are accepted within 30 days of delivery."),
        (KOREAN_PARAPHRASE, 2, "개봉한 상품은 환불할 수 없습니다."),
    ],
)
@pytest.mark.parametrize("how", ["auto", "engine"])
async def test_what_a_judge_confirms_is_cited(answer: str, marker: int, quote: str, how: str):
    assert cite(answer, SHELF).unsupported
    support = await reviewed(answer, Says(0.9), how)
    assert (support.unsupported, support.unchecked) == ([], [])
    assert [(each.marker, each.support, each.reason) for each in support.citations] == [(marker, 0.9, "judged")]
    assert support.citations[0].quote.startswith(quote)
    assert support.citations[0].match.text[slice(*_ends(support.citations[0].chunk_span))] == support.citations[0].quote


async def test_what_a_judge_denies_stays_unsupported():
    support = await reviewed(PARAPHRASE, Says(0.2))
    assert (support.citations, len(support.unsupported)) == ([], 1)
    assert support.reasons[support.unsupported[0]] == "no_source"


@pytest.mark.parametrize("late", [False, True])
async def test_what_nobody_has_judged_is_unchecked(late: bool):
    support = await reviewed(PARAPHRASE, Says(None, late), timeout_s=0.01 if late else 30)
    assert (support.citations, support.unsupported) == ([], [])
    assert support.unchecked == [Span(0, len(PARAPHRASE))]


@pytest.mark.parametrize(
    "answer",
    [
        "Returns are accepted within 60 days of delivery.",
        "Opened items can be refunded.",
        "You may send goods back for 45 days after you got your delivery.",
        "Opened items cannot be refunded.",
        f"{PARAPHRASE[:-1]} at https://example.com/?q=secret.",
    ],
)
async def test_what_words_have_decided_is_not_asked(answer: str):
    judge = Says(0.99)
    before = cite(answer, SHELF)
    after = await reviewed(answer, judge)
    assert (judge.asked, after) == ([], before)


async def test_an_address_out_of_no_source_is_never_asked_about():
    judge = Says(0.99)
    support = await reviewed(f"{PARAPHRASE[:-1]} at https://example.com/?q=secret.", judge, "engine")
    assert (judge.asked, len(support.unsupported)) == ([], 1)


async def test_a_narrow_match_needs_the_judge():
    passed = cite(NARROW, SHELF)
    assert passed.citations[0].support < 0.7
    assert (await reviewed(NARROW, Says(None))).citations == passed.citations
    assert (await reviewed(NARROW, Says(0.9))).citations[0].reason == "judged"
    denied = await reviewed(NARROW, Says(0.1))
    assert (denied.citations, denied.unsupported) == ([], [Span(0, len(NARROW))])


async def test_the_spans_keep_their_order():
    answer = f"Opened items cannot be refunded. {PARAPHRASE} The moon is made of green cheese."
    support = await reviewed(answer, Says(0.1), "engine")
    assert support.unsupported == sorted(support.unsupported, key=lambda each: each.start)
    support = await reviewed(answer, Says(0.9), "engine")
    assert [each.answer_span for each in support.citations] == sorted(
        (each.answer_span for each in support.citations), key=lambda each: each.start
    )


async def test_no_more_sentences_are_asked_about_than_one_answer_should_cost():
    judge = Says(0.9)
    answer = " ".join(f"Goods number {number} go back after delivery by post." for number in ["one", "more"] * 15)
    support = await reviewed(answer, judge, "engine")
    assert len(judge.asked) == 16
    assert len(support.unchecked) == 14


async def judged(fake: FakeEngine, sentence: str = PARAPHRASE) -> Judgement:
    async with fake_engines(fake):
        engine = engine_of(fake.replica())
        try:
            return await EngineJudge(engine, 1, [{"role": "assistant", "content": "So."}]).judge(sentence)
        finally:
            await engine.close()


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ({"Yes": 0.6, " yes": 0.15, "No": 0.25}, 0.75),
        ({"아니": 0.5, "예": 0.25, "네": 0.25}, 0.5),
        ({"아": 0.75, "예": 0.25}, 0.25),
        ({" ": 0.5, "\ufffd": 0.25, "Y": 0.25}, 1.0),
        ({"The": 1.0}, None),
    ],
)
async def test_the_score_is_the_share_of_yes(said: dict[str, float], score: float | None):
    found = await judged(FakeEngine(said={"smollm2": said}))
    assert found.score == (None if score is None else pytest.approx(score))
    assert (found.prompt_tokens, found.completion_tokens) == (9, 2)


@pytest.mark.parametrize("fake", [FakeEngine(listed="{"), FakeEngine(model="another", listed='{"data": []}')])
async def test_an_engine_that_fails_has_not_judged(fake: FakeEngine):
    assert (await judged(fake)).score is None


def _ends(span: Span) -> tuple[int, int]:
    return span.start, span.end
