from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.errors import DocumentError, NotConfigured
from ingest.loading.load import Loaded
from ingest.loading.parsed import Page
from ingest.packing import MAX_CHARACTERS_A_TOKEN
from ingest.split import Chunk, split_text, within

ENGLISH = "The annals of King Sejong fill 163 volumes. They were kept in four archives, far apart from each other. "
KOREAN = "세종실록은 163권으로 이루어져 있다. 사고 네 곳에 나누어 보관하였다. "


@pytest.fixture(scope="module")
def encoder(models) -> E5Encoder:
    return E5Encoder(packaged_folder(models))


def words(texts) -> list[int]:
    """A counter with a frame of two tokens, as real ones have."""
    return [len(re.findall(r"\w+|[^\w\s]", text)) + 2 for text in texts]


def letters(texts) -> list[int]:
    return [len(text) + 2 for text in texts]


def check(loaded: Loaded, chunks: list[Chunk], max_tokens: int, count_tokens) -> None:
    text = loaded.text
    covered = set()
    for number, chunk in enumerate(chunks):
        assert chunk.ord == number
        repeated = text[slice(*chunk.header)] if chunk.header else ""
        assert repeated + text[chunk.start : chunk.stop] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert count_tokens([chunk.text]) == [chunk.tokens]
        assert chunk.tokens <= max_tokens
        covered.update(range(chunk.start, chunk.stop))
    assert all(position in covered for position, character in enumerate(text) if not character.isspace())
    assert [chunk.stop for chunk in chunks] == sorted({chunk.stop for chunk in chunks})
    assert all(len(chunk.text) <= MAX_CHARACTERS_A_TOKEN * max_tokens for chunk in chunks)


@given(
    st.lists(st.text(alphabet="ab가나. \n|#1é\u0301😀-", max_size=300), min_size=1, max_size=3),
    st.integers(5, 40),
    st.integers(0, 20),
)
def test_every_character_is_in_a_chunk_that_fits(texts, max_tokens, overlap):
    loaded = Loaded("text/plain", None, [Page(number, text) for number, text in enumerate(texts, start=1)])
    chunks = split_text(loaded, count_tokens=words, max_tokens=max_tokens, overlap_tokens=min(overlap, max_tokens // 2))
    check(loaded, chunks, max_tokens, words)


@pytest.mark.parametrize(
    "text", [ENGLISH * 60, KOREAN * 60, "가" * 3000, "word " * 2000, "😀" * 800, "x" * 5000, "a\u0301" * 2000]
)
def test_the_models_own_count_is_kept(encoder, text):
    loaded = Loaded("text/plain", None, [Page(None, text)])
    chunks = split_text(loaded, count_tokens=encoder.count_tokens, max_tokens=64, overlap_tokens=10)
    check(loaded, chunks, 64, encoder.count_tokens)
    assert len(chunks) > 3


def test_chunks_end_at_sentence_ends(encoder):
    for text in (ENGLISH * 30, KOREAN * 30):
        loaded = Loaded("text/plain", None, [Page(None, text)])
        chunks = split_text(loaded, count_tokens=encoder.count_tokens, max_tokens=100, overlap_tokens=0)
        assert all(chunk.text.endswith((".", "다.")) for chunk in chunks)
        assert all(chunk.tokens > 50 for chunk in chunks[:-1])


def test_chunks_overlap_by_whole_sentences():
    text = " ".join(f"Sentence number {n} is here." for n in range(50))
    chunks = split_text(
        Loaded("text/plain", None, [Page(None, text)]), count_tokens=words, max_tokens=40, overlap_tokens=14
    )
    for one, two in pairwise(chunks):
        assert one.start < two.start < one.stop < two.stop
        assert text[two.start :].startswith("Sentence")


def test_no_chunk_crosses_a_page():
    loaded = Loaded("application/pdf", None, [Page(1, "One. Two."), Page(2, ""), Page(3, "Three.")])
    chunks = split_text(loaded, count_tokens=words, max_tokens=50, overlap_tokens=5)
    assert [(chunk.pages, chunk.text) for chunk in chunks] == [((1, 1), "One. Two."), ((3, 3), "Three.")]
    assert all(loaded.text[chunk.start : chunk.stop] == chunk.text for chunk in chunks)


def test_a_heading_stays_with_its_text():
    text = "# One\n\n" + "Word of the first part. " * 5 + "\n\n# Two\n\n" + "Word of the second part. " * 5
    chunks = split_text(
        Loaded("text/markdown", None, [Page(None, text)]), count_tokens=words, max_tokens=40, overlap_tokens=0
    )
    assert not any(chunk.text.splitlines()[-1].startswith("#") for chunk in chunks)


@pytest.mark.parametrize("overlap", [0, 14])
def test_a_heading_is_never_left_behind_nor_a_chunk_repeated(overlap):
    sections = [f"# H{n}\n\n{'w ' * (2 + n % 11)}w.\n\n## S\n\n{'v ' * (22 + n % 12)}v." for n in range(100)]
    loaded = Loaded("text/markdown", None, [Page(None, "\n\n".join(sections))])
    chunks = split_text(loaded, count_tokens=words, max_tokens=40, overlap_tokens=overlap)
    check(loaded, chunks, 40, words)
    assert not any(chunk.text.splitlines()[-1].startswith("#") for chunk in chunks)
    assert all(one.start < two.start for one, two in pairwise(chunks))


def test_headings_alone_fill_their_chunks():
    text = "# One of many\n" * 500 + "And a text."
    loaded = Loaded("text/markdown", None, [Page(None, text)])
    chunks = split_text(loaded, count_tokens=words, max_tokens=40, overlap_tokens=14)
    check(loaded, chunks, 40, words)
    assert len(chunks) < 100
    assert not chunks[-1].text.startswith("And")


@pytest.mark.parametrize("between", [" " * 1000, "\u200b" * 1000, " \n" * 1000], ids=["spaces", "invisible", "lines"])
def test_a_chunk_is_bounded_in_characters_too(between):
    loaded = Loaded("text/plain", None, [Page(None, between.join(["One word."] * 30))])
    chunks = split_text(loaded, count_tokens=words, max_tokens=20, overlap_tokens=5)
    assert max(len(chunk.text) for chunk in chunks) <= MAX_CHARACTERS_A_TOKEN * 20


def test_splitting_ends_when_its_time_is_over():
    loaded = Loaded("text/plain", None, [Page(None, ENGLISH * 1000)])
    with pytest.raises(DocumentError, match="KYUJANG_LOAD_TIMEOUT_S") as ended:
        split_text(loaded, count_tokens=within(words, 0.001), max_tokens=40, overlap_tokens=0)
    assert ended.value.document_code == "timeout"
    assert split_text(loaded, count_tokens=within(words, 120), max_tokens=40, overlap_tokens=0)


@pytest.mark.parametrize(
    "character", ["a\u0301", "\u1112\u119e\u11ab", "👩🏽\u200d🚀"], ids=["mark", "old-hangul", "emoji"]
)
def test_what_is_read_as_one_character_is_not_cut(character):
    loaded = Loaded("text/plain", None, [Page(None, character * 300)])
    chunks = split_text(loaded, count_tokens=letters, max_tokens=21, overlap_tokens=0)
    assert all(chunk.text.replace(character, "") == "" for chunk in chunks)


def test_a_run_of_marks_without_end_is_cut_all_the_same():
    loaded = Loaded("text/plain", None, [Page(None, "a" + "\u0301" * 3000)])
    chunks = split_text(loaded, count_tokens=letters, max_tokens=50, overlap_tokens=0)
    assert len(chunks) < 100


def test_a_table_is_cut_between_rows():
    text = "| 책 | 권 |\n| --- | --- |\n" + "".join(f"| 세종실록 제{n}권 | {n} |\n" for n in range(1, 164))
    loaded = Loaded("text/markdown", None, [Page(None, text)])
    chunks = split_text(loaded, count_tokens=words, max_tokens=60, overlap_tokens=8)
    check(loaded, chunks, 60, words)
    assert all(line in text.splitlines() for chunk in chunks for line in chunk.text.splitlines())


def test_a_chunk_size_without_room_for_text_is_refused():
    loaded = Loaded("text/plain", None, [Page(None, "word " * 20)])
    with pytest.raises(NotConfigured, match="KYUJANG_CHUNK_TOKENS"):
        split_text(
            loaded, count_tokens=lambda texts: [len(each) + 30 for each in texts], max_tokens=16, overlap_tokens=0
        )
