"""What users have said of answers becomes questions of an evaluation."""

from __future__ import annotations

import json

import pytest

from app.evaluation.cases import load_cases
from app.evaluation.from_log import line_of

MARKED = {"id": "qry_1", "question": "그럼 언제요?", "search_query": "자료실은 언제 여나요?", "verdict": "supported"}
CITED = [{"document_id": "hours"}, {"document_id": "hours"}, {"document_id": "rules"}]
HEAD = {"query_id": "qry_1", "text": "자료실은 언제 여나요?"}


def said(vote: str, right: str | None = None) -> dict[str, str | None]:
    return {"vote": vote, "comment": None, "right_answer": right}


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({"feedback": said("up"), "citations": CITED}, {"gold_doc_ids": ["hours", "rules"]}),
        ({"feedback": said("down", "아홉 시"), "citations": CITED}, {"expected": ["아홉 시"]}),
        ({"feedback": said("up"), "citations": [], "verdict": "no_answer"}, {"answerable": False}),
        ({"feedback": said("down"), "citations": CITED}, None),
        ({"feedback": said("up"), "citations": []}, None),
    ],
)
def test_a_mark_says_what_is_right(tmp_path, query, line):
    found = line_of({**MARKED, **query})
    assert found == (None if line is None else HEAD | line)
    if found is not None:
        path = tmp_path / "cases.jsonl"
        path.write_text(json.dumps(found), encoding="utf-8")
        (case,) = load_cases(path)
        assert (case.id, case.text) == ("qry_1", HEAD["text"])
