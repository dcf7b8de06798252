"""The time of the check by words, on a made-up answer."""

from __future__ import annotations

import json

from bench.check_pace import paced
from bench.judged_answers import Labelled, SourceSpan


def test_each_language_has_its_row(tmp_path):
    for language in ("en", "ko"):
        folder = tmp_path / language
        folder.mkdir()
        text = "The pier opens at nine."
        corpus = {"doc_id": f"{language}-1", "title": "", "text": text}
        asked = {"query_id": f"{language}-q", "text": "When does it open?", "gold_doc_ids": [], "answers": ["nine"]}
        (folder / "corpus.jsonl").write_text(json.dumps(corpus), "utf-8")
        (folder / "queries.jsonl").write_text(json.dumps({**asked, "source": "own"}), "utf-8")
        (folder / "unanswerable.jsonl").write_text("", "utf-8")
    answers = [
        Labelled(
            question=f"{language}-q",
            language=language,
            sources=[SourceSpan(document=f"{language}-1", start=0, end=23)],
            answer="The pier opens at nine. [1]",
            sentences=[],
        )
        for language in ("en", "ko")
    ]
    header, *rows = paced(answers, tmp_path)
    assert header == ["", "answers", "p50", "p95"]
    assert [(row[0], row[1]) for row in rows] == [("en", "1"), ("ko", "1")]
    assert all(row[2].endswith(" ms") for row in rows)
