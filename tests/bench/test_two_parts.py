"""Cutting a question of two parts, and what is counted of both ways."""

from __future__ import annotations

import json

import pytest

from bench.two_parts import in_turn, joined, main, parts
from tests.app.grounding.test_extractive import match


@pytest.mark.parametrize(
    ("question", "cut"),
    [
        ("Who built the pier, and when did it burn?", ["Who built the pier", "when did it burn?"]),
        ("Who built it and in which year?", ["Who built it", "in which year?"]),
        ("When does it open? What does it cost?", ["When does it open?", "What does it cost?"]),
        ("언제 엽니까? 그리고 얼마입니까 오늘은?", ["언제 엽니까?", "얼마입니까 오늘은?"]),
        ("What do tea and coffee cost?", ["What do tea and coffee cost?"]),
        ("Who found the rocks, and where?", ["Who found the rocks, and where?"]),
        ("", [""]),
    ],
)
def test_a_question_is_cut_where_another_begins(question, cut):
    assert parts(question) == cut


def test_what_was_joined_is_cut_again():
    assert parts(joined("Who built the pier?", "When did it burn?", "en")) == [
        "Who built the pier",
        "when did it burn?",
    ]
    assert parts(joined("누가 지었는가?", "언제 불에 탔는가?", "ko")) == ["누가 지었는가?", "언제 불에 탔는가?"]


def test_passages_of_both_parts_come_in_turn_and_once():
    one, two, three = (match(text, chunk=text) for text in ("one", "two", "three"))
    assert [each.chunk_id for each in in_turn([[one, two], [two, three]])] == ["one", "two", "three"]


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
