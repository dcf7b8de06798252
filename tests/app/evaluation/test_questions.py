from __future__ import annotations

import json
import unicodedata

import pytest

from app.evaluation.questions import BadFile, label, load_corpus, load_qrels, load_queries
from tests.conftest import SHARED_DATA, needs_shared_data

HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.fixture
def written(tmp_path):
    def write(name, *lines):
        path = tmp_path / name
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        return path

    return write


def test_our_form(written):
    path = written(
        "q.jsonl",
        {"query_id": "1", "text": " 휴가는 며칠인가요? ", "gold_doc_ids": ["a", "b"], "source": "TyDi"},
        "",
        {"text": "How long?", "gold_sources": ["policy.md"]},
    )
    first, second = load_queries(path)
    assert (first.id, first.text, first.gold) == ("1", "휴가는 며칠인가요?", {"a", "b"})
    assert first.labels == {"source": "TyDi"}
    assert (second.id, second.gold, second.gold_sources) == ("How long?", set(), {"policy.md"})


def test_beir_s_form(written):
    """Numbers as ids, queries of another split, scores of 0, and gold in the query file that the qrels overrule."""
    queries = written("q.jsonl", {"_id": 1, "text": "one", "gold_doc_ids": ["x"]}, {"_id": "2", "text": "two"})
    qrels = written("test.tsv", "query-id\tcorpus-id\tscore", "1\ta\t1", "1\tb\t2", "1\tc\t0")
    assert [(query.id, query.gold) for query in load_queries(queries, qrels)] == [("1", {"a", "b"})]
    corpus = written("c.jsonl", {"_id": 7, "title": "T", "text": "body", "metadata": {"url": "…"}})
    assert [(document.id, document.title) for document in load_corpus(corpus)] == [("7", "T")]


def test_ids_and_texts_are_composed_as_the_service_composes_them(written):
    korean = unicodedata.normalize("NFD", "한글")
    (query,) = load_queries(written("q.jsonl", {"text": korean, "gold_doc_ids": [korean]}))
    assert (query.text, query.gold) == ("한글", {"한글"})
    (document,) = load_corpus(written("c.jsonl", {"doc_id": korean, "text": korean}))
    assert document.id == "한글"
    assert load_qrels(written("q.tsv", HEADER + f"{korean}\t{korean}\t1")) == {"한글": {"한글"}}


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a", "gold_doc_ids": ["1"]}')
    assert [query.text for query in load_queries(path)] == ["a"]


GOOD = {"text": "a", "gold_doc_ids": ["1"]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty"),
        ([GOOD, "{'text': 1}"], ":2: Invalid JSON"),
        ([GOOD, {"gold_doc_ids": ["1"]}], ":2: text: Field required"),
        ([GOOD, {"text": " ", "gold_doc_ids": ["1"]}], ":2: text: "),
        ([GOOD, {"text": "b\u0000", "gold_doc_ids": ["1"]}], ":2: text: .*NUL"),
        ([GOOD, {"text": "b", "gold_doc_ids": "1"}], ":2: gold_doc_ids: "),
        ([GOOD, {"text": "b"}], ":2: name the documents"),
        ([GOOD, {"text": "b", "gold_doc_ids": []}], ":2: name the documents"),
        ([GOOD, "", GOOD], ":3: 'a' is in line 1 already"),
    ],
)
def test_a_bad_line_is_named(written, lines, message):
    with pytest.raises(BadFile, match=message):
        load_queries(written("q.jsonl", *lines))


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        (HEADER, "no line with a score above 0"),
        (HEADER + "1 a 1", ":2: must be query id"),
        (HEADER + "1\ta\tyes", ":2: must be query id"),
        (HEADER + "1\ta\t1\n9\ta\t1", r"1 query id \('9'\) that"),
    ],
)
def test_a_bad_judgement_is_named(written, qrels, message):
    with pytest.raises(BadFile, match=message):
        load_queries(written("q.jsonl", {"_id": "1", "text": "one"}), written("qrels.tsv", qrels))


def test_a_missing_or_binary_file_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"none\.jsonl: No such file"):
        load_queries(tmp_path / "none.jsonl")
    (tmp_path / "korean.jsonl").write_bytes('{"text": "한글"}'.encode("euc-kr"))
    with pytest.raises(BadFile, match="not UTF-8"):
        load_corpus(tmp_path / "korean.jsonl")


def test_questions_are_grouped_by_a_field_of_theirs(written):
    lines = [{"text": str(number), "gold_doc_ids": ["1"], "n": number, "lang": "ko"} for number in range(25)]
    queries = load_queries(written("q.jsonl", {"text": "bare", "gold_doc_ids": ["1"]}, *lines))
    assert set(label(queries, "lang").values()) == {"ko", "(none)"}
    with pytest.raises(BadFile, match="There is: lang, n"):
        label(queries, "source")
    with pytest.raises(BadFile, match="26 groups"):
        label(queries, "n")


@needs_shared_data
def test_beir_s_scifact_is_read_whole():
    folder = SHARED_DATA / "scifact"
    queries = load_queries(folder / "queries.jsonl", folder / "qrels.tsv")
    assert (len(queries), sum(len(query.gold) for query in queries)) == (300, 339)
    assert len(load_corpus(folder / "corpus.jsonl")) == 5183
