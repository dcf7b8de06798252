from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from app.evaluation.metrics import MEASURES
from app.evaluation.plot import plot
from app.evaluation.questions import BadFile
from app.evaluation.report import QueryResult, Report, compare, load_report, summarize
from app.evaluation.table import table

DRAWN = np.random.default_rng(3).random(60) * 0.8


def results(values, *, gold="a", group=None):
    return [
        QueryResult(
            query_id=str(number),
            group=group(number) if group else None,
            gold=[gold],
            ranking=["a"],
            cut=False,
            latency_ms=float(number),
            measures=dict.fromkeys(MEASURES, float(value)),
        )
        for number, value in enumerate(values)
    ]


def report(**modes):
    found = {name: summarize(each) for name, each in modes.items()}
    return Report(queries_file="q.jsonl", clients=4, group_by=None, failed_documents=0, modes=found)


def test_a_group_is_counted_apart():
    mode = summarize(results([1, 0, 1, 1], group=lambda number: "먼저" if number < 2 else "later"))
    assert mode.overall.measures["MRR@10"].mean == 0.75
    assert {name: (each.queries, each.measures["MRR@10"].mean) for name, each in mode.groups.items()} == {
        "later": (2, 1.0),
        "먼저": (2, 0.5),
    }
    assert (mode.latency_ms.p50, mode.latency_ms.p95) == (1.5, 2.85)


def test_a_change_of_every_question_is_sure_however_far_they_are_apart():
    """Unpaired, the intervals of these means are ten times as wide as the change."""
    earlier = report(dense=results(DRAWN))
    change = compare(report(dense=results(DRAWN + 0.01)), earlier, "old.json").modes["dense"].measures["nDCG@10"]
    assert (change.mean, change.low, change.high) == pytest.approx((0.01, 0.01, 0.01))


def test_a_change_that_may_be_chance_has_0_in_its_interval():
    change = compare(report(dense=results(DRAWN[::-1])), report(dense=results(DRAWN)), "old.json")
    estimate = change.modes["dense"].measures["nDCG@10"]
    assert estimate.low < 0 < estimate.high


def test_only_the_same_questions_with_the_same_gold_are_compared():
    now = report(dense=[*results(DRAWN[:20]), *results(DRAWN[:1], gold="b")])
    assert compare(now, report(dense=results(DRAWN)), "old.json").modes["dense"].queries == 20
    with pytest.raises(BadFile, match="none of these questions"):
        compare(report(dense=results(DRAWN, gold="b")), report(dense=results(DRAWN)), "old.json")


def test_single_modes_are_compared_whatever_their_names():
    assert set(compare(report(hybrid=results(DRAWN)), report(dense=results(DRAWN)), "old").modes) == {"hybrid − dense"}
    with pytest.raises(BadFile, match="has dense, this run has hybrid, lexical"):
        compare(report(hybrid=results([1]), lexical=results([1])), report(dense=results([1])), "old")


def test_a_report_is_read_back_as_it_was_written(tmp_path):
    written = report(dense=results(DRAWN))
    path = tmp_path / "r.json"
    path.write_text(written.model_dump_json(indent=1))
    assert load_report(path) == written
    path.write_text('{"modes": {}}')
    with pytest.raises(BadFile, match="was not written by"):
        load_report(path)


def test_the_table_stands_straight_under_hangul():
    names = ["한국어 질문", "English questions"]
    text = table(report(dense=results([0, 1, 1, 1], group=lambda number: names[number % 2])))
    lines = text.splitlines()
    english, korean = (next(line for line in lines if name in line) for name in reversed(names))
    assert re.search(r"0\.500", korean)
    # Each of its five syllables takes two columns.
    assert len(english) - len(korean) == 5
    assert "p50 2 ms, p95 3 ms" in text


def test_the_plot_shows_every_mode_and_group(tmp_path):
    modes = {name: results(DRAWN, group=lambda number: f"{number % 2}번 $x$") for name in ("dense", "hybrid")}
    plot(report(**modes), tmp_path / "p.png")
    plot(report(dense=results(DRAWN)), tmp_path / "one.png")
    many, one = Image.open(tmp_path / "p.png"), Image.open(tmp_path / "one.png")
    assert many.height == 3 * one.height
    assert len(set(one.convert("L").tobytes())) > 10
