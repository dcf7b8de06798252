"""A calibration as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from app.evaluation.calibration import Calibration, CalibrationReport, Threshold
from app.evaluation.report import Estimate

LOSSES = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
COLUMN = 26
# Below it a threshold is of little use (Hosmer & Lemeshow call 0.7 to 0.8 acceptable).
POOR_AUROC = 0.75

LIMIT = (
    "What a threshold cannot do: it sees whether the documents are about what is asked, not whether they hold the\n"
    "fact. A question about an absent fact of a topic that is there scores like one that has its answer. Those are\n"
    "left to 'grounding' (extract or refuse) and to the model's own refusal."
)


def table(report: CalibrationReport) -> str:
    return "\n".join(_lines(report))


def _lines(report: CalibrationReport) -> Iterator[str]:
    percent = round(report.confidence * 100)
    for mode, languages in report.modes.items():
        for language, found in languages.items():
            yield f"{mode}, {language}, embedding model {report.embedder}: {found.answerable} questions with an answer"
            yield from _curve(found, report.cost)
            yield from _proposed(found, report.cost, mode)
            yield ""
    yield f"In brackets {percent}% intervals (bootstrap over the questions, {report.resamples} resamples)."
    yield "A threshold holds for one embedding model, mode and language: calibrate again after changing one of them."
    calibrated = set().union(*report.modes.values())
    for language in sorted({question.language for question in report.questions} - calibrated):
        yield f"Left out, for it has questions of one sort only: {language}."
    if report.failed_documents:
        yield f"Measured without {report.failed_documents} documents of the corpus that could not be ingested."
    yield LIMIT


def _curve(found: Calibration, cost: float) -> Iterator[str]:
    kinds = list(found.auroc)
    yield _row("min_score", ["answered", *(f"{kind} refused" for kind in kinds)])
    for threshold in _chosen(found, cost):
        shares = [threshold.answered, *(threshold.refused[kind] for kind in kinds)]
        yield _row(f"{threshold.min_score:.4f}", [f"{share:.1%}" for share in shares])
    yield _row("questions", [str(found.answerable), *(str(found.unanswerable[kind]) for kind in kinds)])
    yield _row("AUROC", ["", *(_estimate(found.auroc[kind], ".2f") for kind in kinds)])


def _chosen(found: Calibration, cost: float) -> list[Threshold]:
    """Return the highest threshold at each of LOSSES and at the stated cost; the whole curve is in the JSON."""
    rows = [
        max((each for each in found.curve if 1 - each.answered <= loss + 1e-9), key=lambda each: each.min_score)
        for loss in sorted({*LOSSES, cost})
    ]
    return list({row.min_score: row for row in rows}.values())


def _proposed(found: Calibration, cost: float, mode: str) -> Iterator[str]:
    proposed = found.proposed
    yield f"At a cost of at most {cost:.1%} of the questions with an answer:"
    yield f'  "mode": "{mode}", "min_score": {_estimate(proposed.min_score, ".4f")}'
    yield f"  answered {_estimate(proposed.answered, '.1%')}"
    for kind, share in proposed.refused.items():
        yield f"  {kind} refused {_estimate(share, '.1%')}"
    if poor := [kind for kind, each in found.auroc.items() if each.mean < POOR_AUROC]:
        yield f"  Hardly told apart by the score (AUROC below {POOR_AUROC}): {', '.join(poor)}."


def _estimate(estimate: Estimate, form: str) -> str:
    return f"{estimate.mean:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _row(label: str, cells: list[str]) -> str:
    return f"  {label:<10}" + "".join(f"{cell:>{COLUMN}}" for cell in cells)
