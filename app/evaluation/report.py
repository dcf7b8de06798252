"""What an evaluation found, as the JSON of `--json`, and what changed since an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from app.evaluation.metrics import CONFIDENCE, MEASURES, RESAMPLES, SEED, bootstrap
from app.evaluation.questions import BadFile, json_file


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Estimate(Part):
    """A mean over queries with the ends of its confidence interval."""

    mean: float
    low: float
    high: float


class Group(Part):
    queries: int
    measures: dict[str, Estimate]


class QueryResult(Part):
    """`ranking` are the first ten documents, best first, fewer if the tenant has fewer, or if the chunks that the
    service gives at most come from fewer: then it is `cut`. `latency_ms` is that of the search as a caller sees it."""

    query_id: str
    group: str | None
    gold: list[str]
    ranking: list[str]
    cut: bool
    latency_ms: float
    measures: dict[str, float]


class Latency(Part):
    p50: float
    p95: float


class Mode(Part):
    """One search mode: over all queries, in each group, and query by query."""

    overall: Group
    groups: dict[str, Group]
    latency_ms: Latency
    queries: list[QueryResult]


class Comparison(Part):
    """Differences, this run less `earlier`, query by query, over the queries that both asked with the same gold."""

    earlier: str
    modes: dict[str, Group]


class Report(Part):
    queries_file: str
    clients: int
    group_by: str | None
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    seed: int = SEED
    failed_documents: int
    modes: dict[str, Mode]
    comparison: Comparison | None = None


def summarize(results: Sequence[QueryResult]) -> Mode:
    names = sorted({result.group for result in results if result.group is not None})
    p50, p95 = np.percentile([result.latency_ms for result in results], [50, 95])
    return Mode(
        overall=_group(results),
        groups={name: _group([result for result in results if result.group == name]) for name in names},
        latency_ms=Latency(p50=round(p50, 2), p95=round(p95, 2)),
        queries=list(results),
    )


def _group(results: Sequence[QueryResult]) -> Group:
    return _estimates([[result.measures[name] for name in MEASURES] for result in results])


def _estimates(rows: Sequence[Sequence[float]]) -> Group:
    values = np.array(rows)
    low, high = bootstrap(values)
    columns = zip(MEASURES, values.mean(axis=0), low, high, strict=True)
    return Group(
        queries=len(rows),
        measures={name: Estimate(mean=mean, low=low, high=high) for name, mean, low, high in columns},
    )


def compare(report: Report, earlier: Report, name: str) -> Comparison:
    """Compare modes of the same name, or the only ones of both runs. Raises BadFile if nothing can be compared."""
    pairs = {mode: (report.modes[mode], earlier.modes[mode]) for mode in report.modes if mode in earlier.modes}
    if not pairs and len(report.modes) == len(earlier.modes) == 1:
        (new, now), (old, then) = *report.modes.items(), *earlier.modes.items()
        pairs = {f"{new} − {old}": (now, then)}
    if not pairs:
        raise BadFile(f"{name} has {', '.join(earlier.modes)}, this run has {', '.join(report.modes)}.")
    return Comparison(earlier=name, modes={mode: _difference(now, then, name) for mode, (now, then) in pairs.items()})


def _difference(now: Mode, then: Mode, name: str) -> Group:
    before = {(result.query_id, *sorted(result.gold)): result.measures for result in then.queries}
    rows = []
    for result in now.queries:
        old = before.get((result.query_id, *sorted(result.gold)))
        if old is not None:
            rows.append([result.measures[measure] - old[measure] for measure in MEASURES])
    if not rows:
        raise BadFile(f"{name} has none of these questions with the same gold documents.")
    return _estimates(rows)


def load_report(path: Path) -> Report:
    """Read a report that --json wrote. Raises BadFile."""
    return json_file(path, Report, "eval --json")
