"""A report as text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from app.evaluation.metrics import DEPTH, MEASURES
from app.evaluation.report import Comparison, Group, Report

COLUMN = 13


def table(report: Report) -> str:
    rows = []
    for name, mode in report.modes.items():
        rows.append((f"{name} ({mode.overall.queries})", mode.overall))
        rows += [(f"  {group} ({estimates.queries})", estimates) for group, estimates in mode.groups.items()]
    return "\n".join([*_lines(rows, "{:.3f}"), "", *_notes(report), *_compared(report.comparison)])


def _notes(report: Report) -> Iterator[str]:
    percent = round(report.confidence * 100)
    yield f"Below each mean its {percent}% interval (bootstrap over the questions, {report.resamples} resamples)."
    for name, mode in report.modes.items():
        latency = mode.latency_ms
        yield f"A search, {name}, {report.clients} at a time: p50 {latency.p50:.0f} ms, p95 {latency.p95:.0f} ms."
        if cut := sum(result.cut for result in mode.queries):
            yield f"For {cut} questions all the chunks of the longest answer are of fewer than {DEPTH} documents."
    if report.failed_documents:
        yield f"Measured without {report.failed_documents} documents of the corpus that could not be ingested."


def _compared(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        return
    yield from ("", f"Change since {comparison.earlier}, over the questions of both:")
    yield from _lines(((f"{mode} ({group.queries})", group) for mode, group in comparison.modes.items()), "{:+.3f}")
    yield "An interval without 0 in it is a change; with 0 in it, it may be chance."


def _lines(rows: Iterable[tuple[str, Group]], form: str) -> Iterator[str]:
    rows = list(rows)
    first = max(_width(label) for label, _ in rows)
    yield _line("", MEASURES, first)
    for label, group in rows:
        estimates = [group.measures[name] for name in MEASURES]
        yield _line(label, [form.format(each.mean) for each in estimates], first)
        yield _line("", [f"{form.format(each.low)}…{form.format(each.high)}" for each in estimates], first)


def _line(label: str, cells: Iterable[str], first: int) -> str:
    return label + " " * (first - _width(label)) + "".join(cell.rjust(COLUMN + 2) for cell in cells)


def _width(text: str) -> int:
    """Return the width in columns of a terminal, where Hangul takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
