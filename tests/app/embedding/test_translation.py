"""A question's vector is moved to the other language, by what parallel texts say about the model."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from app.embedding import Embedder
from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.embedding.parallel import PARALLEL
from app.embedding.translation import Translator, translations
from app.errors import EmbedderUnavailable

DIMENSION = 24
APART = np.eye(DIMENSION, dtype=np.float32)[-1]


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def meanings() -> np.ndarray:
    """As many directions as parallel texts, none along APART."""
    return np.eye(DIMENSION, dtype=np.float32)[: len(PARALLEL)]


def test_what_parts_two_languages_is_taken_from_the_question():
    questions = {"ko": unit(meanings() + APART), "en": unit(meanings() - APART)}
    found = translations(questions, questions)
    for language, other in (("ko", "en"), ("en", "ko")):
        before = np.diag(questions[language] @ questions[other].T)
        assert before == pytest.approx(0.0, abs=1e-6)
        assert np.diag(found[language].of(questions[language]) @ questions[other].T) == pytest.approx(1.0, abs=1e-5)
        assert found[language].level == pytest.approx(0.0, abs=1e-6)


def test_passages_that_lie_closer_in_one_language_do_not_win_for_that():
    """Unrelated Korean texts have a cosine of 0.5, English ones of 0.1: the moved question is that much behind."""
    close = {language: unit(meanings() + share * APART) for language, share in (("ko", 1.0), ("en", 1 / 3))}
    found = translations(close, close)
    assert found["ko"].level == pytest.approx(0.5 - 0.1, abs=0.05)
    assert found["en"].level == 0.0


def test_a_model_that_does_not_know_a_language_moves_nothing():
    rng = np.random.default_rng(7)
    questions = {"ko": unit(rng.normal(size=(len(PARALLEL), DIMENSION))), "en": unit(meanings())}
    assert translations(questions, questions) == {}


class Slow:
    """Embeds when it is let, after it has failed once."""

    def __init__(self) -> None:
        self.go, self.calls = asyncio.Event(), 0

    async def embed(self, texts, kind):
        self.calls += 1
        await self.go.wait()
        if self.calls == 1:
            raise EmbedderUnavailable("gone")
        return unit(meanings()[: len(texts)])


async def test_a_search_that_gives_up_leaves_the_measuring_to_the_next_and_a_failure_is_tried_again():
    slow = Slow()
    translator = Translator(slow)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(translator.translation("ko"), 0.01)
    slow.go.set()
    with pytest.raises(EmbedderUnavailable):
        await translator.translation("ko")
    assert await translator.translation("ko") is not None
    assert await translator.translation("en") is not None
    assert slow.calls == 1 + 4


async def test_the_packaged_model_is_measured_once_and_finds_what_is_in_the_other_language(models):
    embedder = Embedder(E5Encoder(packaged_folder(models)))
    translator = Translator(embedder)
    found = await translator.translation("ko")
    assert found is not None
    asked = await embedder.embed(["저녁 영화는 몇 시에 시작하나요?"], "query")
    passages = await embedder.embed(
        [
            "The evening film starts at eight.",
            "약국은 밤 10시에 닫습니다.",
            "수영 교실은 토요일 오전에 열립니다.",
        ],
        "passage",
    )
    own, moved = (passages @ vector for vector in (asked[0], found.of(asked)[0]))
    assert own.argmax() != 0
    assert moved[0] + found.level > own.max()
    assert await translator.translation("ko") is found
    embedder.close()
