"""Small models as judges: a token classifier that is trained here, and one of pairs."""

from __future__ import annotations

import json
import math
import re

import pytest

from app.errors import NotConfigured
from app.grounding.check_model import CheckModel, ModelJudge, open_check_model
from app.grounding.citations import cite
from app.grounding.judge import review
from app.retrieval.match import Match
from app.settings import Settings
from tests import onnx_models

SOURCES = [
    "The ferry leaves the harbour at seven . Dogs travel free .",
    "The harbour keeps a lamp lit for the ferry all night .",
    "연락선은 일곱 시에 항구를 떠난다 . 개는 무료로 탄다 .",
]
SAID = ["Dogs travel free .", "The ferry leaves at seven .", "개는 무료로 탄다 .", "연락선은 일곱 시에 떠난다 ."]
INVENTED = [
    ("The ferry sinks at seven .", {"sinks"}),
    ("Cats travel free .", {"cats"}),
    ("고양이는 무료로 탄다 .", {"고양이는"}),
    ("연락선은 여덟 시에 떠난다 .", {"여덟"}),
]


def words(text: str) -> list[str]:
    return re.findall(r"\w+|[.]", text.casefold())


def trained() -> tuple[float, float]:
    """Return the two numbers of a classifier of tokens: how much for a word that the sources have, and against any."""
    known = set(words(" ".join(SOURCES)))
    rows = [(word in known, True) for sentence in SAID for word in words(sentence)]
    rows += [(word in known, word not in wrong) for sentence, wrong in INVENTED for word in words(sentence)]
    weight = bias = 0.0
    for _ in range(300):
        for found, supported in rows:
            error = supported - 1 / (1 + math.exp(bias - weight * found))
            weight, bias = weight + 0.5 * error * found, bias - 0.5 * error
    return weight, bias


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    vocabulary = sorted({*words(" ".join([*SOURCES, *SAID, *(each for each, _ in INVENTED)])), "lamp", "moon"})
    return onnx_models.word_checker(tmp_path_factory.mktemp("checker"), vocabulary, *trained())


@pytest.fixture
async def checker(folder):
    model = open_check_model(Settings(checker=str(folder)))
    yield model
    await model.close()


async def test_a_token_classifier_finds_the_word_that_no_source_has(checker):
    for sentence in SAID:
        assert await checker.support(sentence, SOURCES, 1) > 0.8, sentence
    for sentence, _ in INVENTED:
        assert await checker.support(sentence, SOURCES, 1) < 0.2, sentence


async def test_what_one_source_lacks_another_may_say(checker):
    joined = "Dogs travel free all night ."
    assert await checker.support(joined, SOURCES, 1) > 0.8
    assert await checker.support(joined, SOURCES[:1], 1) < 0.2


async def test_it_judges_the_sentences_of_an_answer(checker):
    matches = [Match("c", "d", None, None, None, text, 0.9, {}, 0, len(text)) for text in SOURCES]
    support = cite("Dogs travel free. Sinks the ferry at seven.", matches)
    judge = ModelJudge(checker, 1, [match.text for match in matches])
    judged = (await review(judge, support, matches, "model", timeout_s=60)).support
    assert {each.reason for each in judged.citations} == {"judged"}
    assert [judged.answer[each.start : each.end] for each in judged.unsupported] == ["Sinks the ferry at seven."]


async def test_the_best_source_of_a_classifier_of_pairs_counts(tmp_path):
    made = onnx_models.cross_encoder(tmp_path, {"dogs": 4.0}, labels=2, favoured=1)
    (made / "config.json").write_text(json.dumps({"id2label": {"0": "contradiction", "1": "entailment"}}))
    model = CheckModel(made, Settings())
    assert await model.support("Dogs.", SOURCES, 1) > 0.9
    assert await model.support("Moon.", SOURCES, 1) == pytest.approx(0.5)
    await model.close()


@pytest.mark.parametrize("labels", [{"0": "left", "1": "right"}, {"0": "a", "1": "b", "2": "c"}])
def test_labels_that_say_nothing_are_refused(tmp_path, labels):
    made = onnx_models.cross_encoder(tmp_path, {"dogs": 4.0}, labels=len(labels))
    (made / "config.json").write_text(json.dumps({"id2label": labels}))
    with pytest.raises(NotConfigured, match="id2label"):
        CheckModel(made, Settings())


async def test_it_knows_its_languages_alone(folder, checker):
    english = CheckModel(folder, Settings(checker_languages="en"))
    assert english.knows(SOURCES[:2])
    assert not english.knows(SOURCES)
    assert checker.knows(SOURCES)
    await english.close()


def test_without_a_folder_there_is_no_checker():
    assert open_check_model(Settings()) is None
    with pytest.raises(NotConfigured, match="KYUJANG_CHECKER"):
        Settings(grounding_check="model")
