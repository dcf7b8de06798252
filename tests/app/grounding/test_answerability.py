from __future__ import annotations

from dataclasses import replace

import pytest

from app.grounding.answerability import QUOTE, Answerability, answerability, asked, chance_of_a_quote
from app.prompting.elements import END_OF_THINKING, Example, build_messages, default_elements
from app.prompting.fencing import new_fence
from app.retrieval.match import Match
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines

MATCH = Match("chk", "doc", None, None, None, "The museum opens at ten.", 0.9, {}, 0, 24)
QUESTION = {"en": "When does the museum open?", "ko": "박물관은 언제 엽니까?"}


@pytest.mark.parametrize(
    ("likely", "score"),
    [
        ({}, None),
        ({"The": 0.9}, 1.0),
        ({"[[": 0.75, "The": 0.25}, 0.25),
        ({" [[": 0.5, "[[NO": 0.25, "[": 0.125, "The": 0.125}, 0.25),
        ({"[": 0.75, "The": 0.25}, 0.25),
    ],
)
async def test_the_score_is_what_the_sign_that_nothing_answers_leaves(likely: dict[str, float], score: float | None):
    fake = FakeEngine(said={"smollm2": likely})
    prompt = build_messages(default_elements(QUESTION["en"]), [MATCH], QUESTION["en"], new_fence())
    async with fake_engines(fake):
        engine = engine_of(fake.replica())
        try:
            found = await answerability(engine, 1, default_elements(QUESTION["en"]), prompt, "en")
        finally:
            await engine.close()
    assert found.score == (None if score is None else pytest.approx(score))
    assert (found.prompt_tokens, found.completion_tokens) == (9, 2)


def test_what_is_not_known_refuses_nothing():
    assert chance_of_a_quote({}) is None
    assert not Answerability(None).is_below(1)
    assert [Answerability(score).is_below(0.5) for score in (0.4, 0.5)] == [True, False]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("indicator", [None, ""])
def test_the_engine_reads_the_answer_s_own_prompt_up_to_the_question(language: str, indicator: str | None):
    elements = default_elements(QUESTION[language])
    if indicator is not None:
        elements = replace(elements, output_indicator=indicator)
    elements = replace(elements, examples=[Example("Who?", "She [1].", "She came.")])
    prompt = build_messages(elements, [MATCH], QUESTION[language], new_fence())
    messages = asked(elements, prompt, language)
    assert messages[:-1] == prompt[:-1]
    shared = messages[-1]["content"].removesuffix(f"\n\n{QUOTE[language]}")
    assert prompt[-1]["content"].startswith(shared)
    assert shared.endswith(QUESTION[language])


def test_nothing_is_thought_aloud_before_the_quote():
    elements = replace(default_elements("When?"), reasoning=True)
    prompt = build_messages(elements, [MATCH], "When?", new_fence())
    assert END_OF_THINKING in prompt[0]["content"]
    assert END_OF_THINKING not in asked(elements, prompt, "en")[0]["content"]
