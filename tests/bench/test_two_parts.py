"""Cutting a question of two parts, and what is counted of both ways."""

from __future__ import annotations

import json

from app.language.question_parts import question_parts
from bench.two_parts import joined, main


def test_what_was_joined_is_cut_again():
    assert question_parts(joined("Who built the pier?", "When did it burn?", "en")) == [
        "Who built the pier",
        "when did it burn?",
    ]
    assert question_parts(joined("누가 지었는가?", "언제 불에 탔는가?", "ko")) == [
        "누가 지었는가?",
        "언제 불에 탔는가?",
    ]


def test_both_ways_are_told_for_both_languages(tmp_path, capsys):
    for language, words in (("en", "The {} stands in {}."), ("ko", "{} 건물은 {}에 있다.")):
        folder = tmp_path / language
        folder.mkdir()
        corpus = [
            {"doc_id": f"{language}-{name}-1", "title": "", "text": words.format(name, place)}
            for name, place in (("Kell", "Dorn"), ("Vant", "Brill"))
        ]
        asked = [
            {"text": f"Where is the {name} there?", "gold_doc_ids": [f"{language}-{name}-1"], "answers": [place]}
            for name, place in (("Kell", "Dorn"), ("Vant", "Brill"))
        ]
        for file, rows in (("corpus", corpus), ("queries", asked)):
            (folder / f"{file}.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    main(tmp_path)
    told = capsys.readouterr().out
    assert told.count("1 questions of two parts; 0 of 2 of one part are cut too") == 2
    assert told.count("| both passages among the five | 1.000 | 1.000 |") == 2
