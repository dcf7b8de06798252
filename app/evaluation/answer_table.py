"""A report of answers as text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from app.evaluation.answer_measures import NAMES
from app.evaluation.answer_report import AnswerReport, Way
from app.evaluation.judging import Trust
from app.evaluation.metrics import CONFIDENCE, RESAMPLES
from app.evaluation.paired import Difference, Score

COLUMN = 20
SAID = {"worse": "WORSE", "better": "better", "undecided": ""}


def table(report: AnswerReport, since: Mapping[str, Difference] | None = None, earlier: str = "") -> str:
    return "\n".join(_lines(report, since, earlier))


def _lines(report: AnswerReport, since: Mapping[str, Difference] | None, earlier: str) -> Iterator[str]:
    repeated = f", {report.repeats} times each" if report.repeats > 1 else ""
    for number, way in enumerate(report.ways):
        yield f"Way {number + 1}: {_settings(way)}, {report.cases} questions{repeated}"
        yield from _way(way)
        yield ""
    for each in report.comparisons:
        yield f"Way {each.way + 1} less way {each.against + 1}, question by question:"
        yield from _differences(each.measures)
        yield ""
    if since is not None:
        yield f"Change since {earlier}, over the questions of both:"
        yield from _differences(since)
        yield ""
    yield from _judge(report.judge, judged=any("judged" in way.measures for way in report.ways))
    yield f"In brackets {CONFIDENCE:.0%} intervals (bootstrap over the questions, {RESAMPLES} resamples). A change is"
    yield "named if its interval is without 0 and a sign-flip test finds it less likely than 5 in 100 (p)."


def _settings(way: Way) -> str:
    said = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in way.settings.items())
    return ", ".join(said) or "as the tenant's questions are answered"


def _way(way: Way) -> Iterator[str]:
    for name in NAMES:
        if name in way.measures:
            yield f"  {name:<{COLUMN}}{_score(way.measures[name])}  of {way.measures[name].cases}"
    if way.judged_corrected is not None:
        yield f"  {'judged, corrected':<{COLUMN}}{way.judged_corrected:.3f}  for the judge's own errors"
    if way.refused:
        yield f"  {'refused':<{COLUMN}}" + ", ".join(f"{reason} {count}" for reason, count in way.refused.items())
    if way.errors:
        yield f"  {'errors':<{COLUMN}}{way.errors} answers, which count as wrong; --json has the reasons"
    if way.seconds_p50 is not None and way.seconds_p95 is not None:
        yield f"  {'an answer takes':<{COLUMN}}p50 {way.seconds_p50:.2f} s, p95 {way.seconds_p95:.2f} s"


def _differences(measures: Mapping[str, Difference]) -> Iterator[str]:
    for name in filter(measures.__contains__, NAMES):
        each = measures[name]
        line = f"  {name:<{COLUMN}}{_score(each, '+.3f')}  p {each.p:.3f}  of {each.cases}  {SAID[each.verdict]}"
        yield line.rstrip()


def _judge(judge: Trust | None, *, judged: bool) -> Iterator[str]:
    if judge is None:
        if judged:
            yield "How often the judge errs is not known: send labelled answers (--judge FILE.jsonl)."
        return
    yield f"The judge on {judge.samples} labelled answers:"
    for label, score in (
        ("misjudged", judge.error),
        ("right, called wrong", judge.called_wrong),
        ("wrong, called right", judge.called_right),
    ):
        if score is not None:
            yield f"  {label:<{COLUMN}}{_score(score)}  of {score.cases}"


def _score(score: Score, form: str = ".3f") -> str:
    return f"{score.mean:{form}} [{score.low:{form}}, {score.high:{form}}]"
