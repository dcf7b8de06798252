"""The benchmark of answers on a small shelf of our own, without vLLM; its measures by themselves."""

from __future__ import annotations

import json

import pytest

from app.evaluation.overlap import contains, f1
from bench.answer.__main__ import Results, main
from bench.answer.asking import Outcome
from bench.answer.curves import at_answered, curves
from bench.answer.data import questions
from bench.answer.figures import figures

CORPUS = {
    "en": {
        "tower-(1)": ("Eiffel Tower", "The Eiffel Tower was designed by Gustave Eiffel. It was completed in 1889."),
        "bees": ("", "A honey bee colony has one queen. The workers dance to tell each other where flowers are."),
    },
    "ko": {
        "hangul": ("훈민정음", "훈민정음은 1446년에 반포되었다. 세종은 스물여덟 글자를 만들었다."),
        "volcano": ("", "한라산은 제주도 가운데에 있는 화산이다. 꼭대기에는 백록담이라는 호수가 있다."),
    },
}
QUERIES = {
    "en": [
        ("When was the Eiffel Tower completed?", "tower-(1)", ["1889", "in 1889"]),
        ("How many queens does a honey bee colony have?", "bees", ["one"]),
    ],
    "ko": [
        ("훈민정음은 언제 반포되었나요?", "hangul", ["1446년"]),
        ("한라산 꼭대기에 있는 호수는?", "volcano", ["백록담"]),
    ],
}
UNANSWERABLE = {
    "en": [("What is the boiling point of tungsten?", "off_corpus"), ("Which harbour is the deepest?", "off_corpus")],
    "ko": [("텅스텐의 끓는점은 몇 도인가요?", "off_corpus"), ("세종의 아버지는 누구인가요?", "withheld_passage")],
}


@pytest.fixture(scope="module")
def data(scratch):
    folder = scratch / "answer-data"
    for language, documents in CORPUS.items():
        rows = [{"doc_id": name, "title": title, "text": text} for name, (title, text) in documents.items()]
        _write(folder / language / "corpus.jsonl", rows)
        rows = [
            {"query_id": text, "text": text, "gold_doc_ids": [gold], "answers": answers}
            for text, gold, answers in QUERIES[language]
        ]
        _write(folder / language / "queries.jsonl", rows)
        rows = [{"query_id": text, "text": text, "kind": kind} for text, kind in UNANSWERABLE[language]]
        _write(folder / language / "unanswerable.jsonl", rows)
    return folder


def _write(file, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def test_answers_and_refusals_are_measured(scratch, models, data, capsys):
    home = scratch / "answer-bench"
    home.mkdir(mode=0o711)
    (home / "models").symlink_to(models)
    arguments = ["--home", str(home), "--data", str(data), "--ways", "none", "--json", str(home / "a.json")]
    assert main([*arguments, "--plot", str(home / "a.png")]) == 0
    (outcomes,) = Results.model_validate_json((home / "a.json").read_bytes()).outcomes.values()
    assert len(outcomes) == 8
    for each in outcomes:
        if each.kind is None:
            assert (each.refused, each.contains, each.found) == (False, True, True)
            assert each.cited_gold >= 1
        if each.kind == "off_corpus":
            assert each.refused
    printed = capsys.readouterr().out
    assert "### English" in printed
    assert "| gold contained | 1.000 [1.000, 1.000] of 2 |" in printed
    assert "| refused: off_corpus | 1.000 [1.000, 1.000] of 1 |" in printed
    assert (home / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_sample_is_the_same_each_time_and_has_of_every_kind(data):
    first, again, other = (questions(data / "ko", "ko", 1, 2, seed) for seed in (0, 0, 4))
    assert first == again
    assert first != other
    assert [each.kind for each in first] == [None, "off_corpus", "withheld_passage"]


@pytest.mark.parametrize(
    ("language", "answer", "gold", "expected", "inside"),
    [
        # As evaluate-v1.1.py and evaluate-korquad_v1.0.py compute them.
        ("en", "The Denver Broncos! [1]", ["Denver Broncos"], 1.0, True),
        ("en", "It was completed in 1889. [2]", ["1889", "in 1889"], 2 * 2 / (5 + 2), True),
        ("en", "Week 17", ["week 7"], 0.5, False),
        ("en", "cathedral", ["cat"], 0.0, False),
        ("en", "", ["1889"], 0.0, False),
        ("ko", "《삼종신기》 [1]", ["삼종신기"], 1.0, True),
        ("ko", "훈민정음은 1446년에 반포되었다.", ["1446년"], 2 * 5 / (16 + 5), True),
        ("ko", "부산 데레사 여자고등학교", ["부산 데레사여자고등학교"], 1.0, True),
    ],
)
def test_overlap_is_measured_as_the_data_sets_do(language, answer, gold, expected, inside):
    assert f1(answer, gold, language) == pytest.approx(expected)
    assert contains(answer, gold, language) is inside


def outcome(**fields):
    plain = {"question": "q", "language": "en", "kind": None, "answer": "a", "refused": False, "generated": False}
    plain |= {"f1": 0.5, "contains": True, "found": True, "cited": 2, "cited_gold": 1, "unsupported": 0}
    plain |= {"bearing": 0.5, "extract_contains": True, "cosine": 0.9, "fused": 0.8, "seconds": 0.1}
    return Outcome(**{**plain, **fields})


def test_shares_are_of_what_they_say():
    rows = [
        outcome(),
        outcome(cited_gold=2),
        outcome(cited=0, cited_gold=0),
        outcome(refused=True, contains=False, f1=0),
    ]
    rows += [outcome(kind="off", refused=True), outcome(kind="off")]
    shares = {name: (count, share.mean) for name, (count, share) in figures(rows).shares.items()}
    assert shares["answered"] == (4, 0.75)
    assert shares["gold contained"] == (4, 0.75)
    assert shares["gold contained, of the answered"] == (3, 1)
    assert shares["F1"] == (4, 0.375)
    assert shares["citation precision, a mean over the cited"] == (2, 0.75)
    assert shares["every citation is gold, of the cited"] == (2, 0.5)
    assert shares["refused: off"] == (2, 0.5)


def test_a_curve_goes_from_answering_all_to_refusing_nearly_all():
    rows = [outcome(bearing=share / 10, cosine=0.8 + share / 100) for share in range(1, 11)]
    rows += [outcome(kind="off", bearing=0.25, cosine=0.9, refused=True)]
    knobs = curves("none", rows)
    points = knobs["share of the question (BEARS_ON)"]
    assert (points[0].answered, points[0].refused) == (1, {"off": 0})
    assert (points[-1].answered, points[-1].refused) == (0.1, {"off": 1})
    at = at_answered(points, 0.8)
    assert at is not None
    assert (at.value, at.answered, at.correct, at.refused) == (pytest.approx(0.3), 0.8, 0.8, {"off": 1})
    # What the guard has refused stays so, whatever the score.
    assert knobs["min_score, fused, beside BEARS_ON"][0].refused == {"off": 1}
    assert knobs["min_score, cosine, alone"][0].refused == {"off": 0}
