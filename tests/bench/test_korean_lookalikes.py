"""The 100 questions as they lie in the repository, and the measure on made-up passages."""

from __future__ import annotations

import json

from bench import korean_lookalikes
from bench.korean_lookalikes import QUESTIONS, main, pairs, rows


def test_there_are_100_korean_questions_to_passages_that_may_be_used():
    questions = rows(QUESTIONS)
    assert len({row["id"] for row in questions}) == len({row["text"] for row in questions}) == 100
    # KorQuAD's licence allows nothing to be derived from its passages.
    assert all(row["passage"].startswith("ko-ty-") for row in questions)
    assert all("가" <= row["text"][0] <= "힣" or row["text"][0].isalnum() for row in questions)


def test_a_question_whose_words_are_in_its_passage_stands_above_one_whose_are_not(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "ko"
    folder.mkdir()
    passage = "등대는 1870년에 세워졌다. 계단은 92개이다."
    corpus = [{"doc_id": "ko-ty-1", "text": passage}]
    asked = [
        {"query_id": f"ko-{kind}-{number}", "text": "등대는 언제 세워졌는가?", "gold_doc_ids": ["ko-ty-1"]}
        for number, kind in enumerate(("ty", "ty", "kq"))
    ]
    for name, lines in (("corpus", corpus), ("queries", asked)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"id": "1", "passage": "ko-ty-1", "text": "항구의 선장은 누구인가?"}), "utf-8")
    monkeypatch.setattr(korean_lookalikes, "QUESTIONS", own)
    assert [pair.answered for pair in pairs(tmp_path)] == [True, True, False]
    main(tmp_path)
    told = capsys.readouterr().out
    assert "2 with an answer, 1 without" in told
    assert "| bearing | 1.00 " in told
