"""A calibration as a picture: what is refused against what it costs. matplotlib is loaded on first use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.evaluation.calibration import Calibration, CalibrationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_INCHES = (5, 4)
# Told apart on paper without colour too.
LINES = (("#08519c", "-"), ("#d94801", "--"), ("#238b45", "-."), ("#6a51a3", ":"))


def plot(report: CalibrationReport, path: Path) -> None:
    """Draw a row for each mode, a column for each language."""
    from matplotlib.figure import Figure

    columns = max(len(languages) for languages in report.modes.values())
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * len(report.modes))
    figure = Figure(size, layout="constrained")
    panels = figure.subplots(len(report.modes), columns, squeeze=False)
    for row, (mode, languages) in zip(panels, report.modes.items(), strict=True):
        for panel, (language, found) in zip(row, languages.items(), strict=True):
            _panel(panel, f"{mode}, {language}, {report.embedder}", found)
    figure.savefig(path, dpi=150)


def _panel(panel: Axes, title: str, found: Calibration) -> None:
    lost = [1 - each.answered for each in found.curve]
    for number, (kind, estimate) in enumerate(found.auroc.items()):
        colour, style = LINES[number % len(LINES)]
        refused = [each.refused[kind] for each in found.curve]
        panel.plot(lost, refused, style, color=colour, label=f"{kind} (AUROC {estimate.mean:.2f})")
        chosen = found.proposed.refused[kind]
        error = [[chosen.mean - min(chosen.low, chosen.mean)], [max(chosen.high, chosen.mean) - chosen.mean]]
        panel.errorbar(
            1 - found.proposed.answered.mean, chosen.mean, yerr=error, fmt="o", color=colour, markersize=5, capsize=3
        )
    panel.plot([0, 1], [0, 1], color="grey", linewidth=0.6)
    panel.set_title(title, fontsize=10, parse_math=False)
    panel.set_xlabel(f"of {found.answerable} questions with an answer refused")
    panel.set_ylabel("of those without one refused")
    panel.set_xlim(-0.02, 1)
    panel.set_ylim(-0.02, 1.02)
    panel.grid(linewidth=0.4, alpha=0.6)
    panel.legend(loc="lower right", fontsize=8, title=f"Dots: min_score {found.proposed.min_score.mean:.4f}")
