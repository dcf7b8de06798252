"""The measure of answerability on made-up files: what is built, and that a gate that works would show."""

from __future__ import annotations

import json
from random import Random

import numpy as np

from bench import answerability
from bench.answerability import NAMES, Pair, auroc, features, figures, lookalike, training, without_answer

PASSAGE = "The lighthouse of Kell was built in 1870. It has 92 steps. Visitors pay two coins."


def test_a_look_alike_is_another_question(capsys):
    question = "When was the lighthouse of Kell built?"
    made = {lookalike(question, Random(seed), ["Dorn"], ["5"]) for seed in range(30)}
    assert "When was the lighthouse of Dorn built?" in made
    assert "When was not the lighthouse of Kell built?" in made
    assert question not in made
    rest = without_answer(PASSAGE, "1870")
    assert rest == "It has 92 steps. Visitors pay two coins."
    pairs = list(training([(question, PASSAGE, "1870")] * 20, Random(1)))
    assert [pair.answered for pair in pairs] == [True, False] * 20
    assert {pair.passage for pair in pairs} == {PASSAGE, rest}


def test_features_see_a_name_a_number_and_a_negation():
    def of(question: str) -> dict[str, float]:
        return dict(zip(NAMES, features(Pair(question, PASSAGE, answered=True)), strict=True))

    plain = of("When was the lighthouse of Kell built?")
    assert plain["bearing"] > 0.9
    assert (plain["names missing"], plain["numbers missing"], plain["negated on one side"]) == (0, 0, 0)
    assert of("When was the lighthouse of Dorn built?")["names missing"] == 1
    assert of("Was the lighthouse built in 1880?")["numbers missing"] == 1
    assert of("When was the lighthouse never built?")["negated on one side"] == 1
    assert of("")["bearing"] == 0


def test_the_curve_counts_what_is_refused():
    answered, others = np.arange(100.0), np.arange(100.0) - 1000
    assert figures(answered, others) == [1.0, 1.0, 1.0, 1.0, 1.0]
    assert auroc(answered, answered) == 0.5


def test_it_runs_on_files_of_both_sets(tmp_path, capsys):
    asked = [("When was the lighthouse of Kell built?", False), ("When was the lighthouse of Dorn built?", True)]
    squad = {"paragraphs": [{"context": PASSAGE, "qas": [{"question": q, "is_impossible": no} for q, no in asked]}]}
    answers = [{"text": "1870", "answer_start": 36}]
    tydi = {"paragraphs": [{"context": PASSAGE, "qas": [{"question": q, "answers": answers} for q, _ in asked]}]}
    for name, document in (("squad.json", squad), ("tydi.json", tydi)):
        (tmp_path / name).write_text(json.dumps({"data": [document]}))
    answerability.main(["--tydi", str(tmp_path / "tydi.json"), "--squad", str(tmp_path / "squad.json")])
    out = capsys.readouterr().out
    assert "| regression | 1.00 " in out
    assert "names missing" in out
