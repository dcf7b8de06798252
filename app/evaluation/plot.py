"""A report as a picture: bars with their confidence intervals. matplotlib is loaded on first use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.evaluation.metrics import MEASURES
from app.evaluation.report import Group, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# From light to dark, each with a hatch of its own: told apart on paper without colour, error bars visible on all.
FILLS = (("#f2f2f2", ""), ("#9ecae1", "///"), ("#4292c6", ".."))
FONTS = ("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "DejaVu Sans")
SUFFIXES = (".png", ".svg", ".pdf")
PANEL_INCHES = (10, 3.2)
LABEL_POINTS = 7


def plot(report: Report, path: Path) -> None:
    """Draw one panel for all questions and one for each group."""
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    installed = set(font_manager.get_font_names())
    fonts = [name for name in FONTS if name in installed]
    groups = list(next(iter(report.modes.values())).groups)
    with matplotlib.rc_context({"font.family": fonts}):
        height = PANEL_INCHES[1] * (1 + len(groups))
        figure = Figure((PANEL_INCHES[0], height), layout="constrained")
        panels = figure.subplots(1 + len(groups), squeeze=False)[:, 0]
        _panel(panels[0], "All", {name: mode.overall for name, mode in report.modes.items()})
        for number, (panel, group) in enumerate(zip(panels[1:], groups, strict=True), start=1):
            title = group if _can_draw(group, fonts) else f"Group {number}"
            _panel(panel, title, {name: mode.groups[group] for name, mode in report.modes.items()})
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper right", ncols=len(names), frameon=False)
        percent = round(report.confidence * 100)
        panels[-1].set_xlabel(f"Error bars: {percent}% bootstrap intervals over the questions")
        figure.savefig(path, dpi=150)


def _panel(panel: Axes, title: str, modes: dict[str, Group]) -> None:
    width = 0.8 / len(modes)
    for index, (name, group) in enumerate(modes.items()):
        estimates = [group.measures[measure] for measure in MEASURES]
        places = [number + (index - (len(modes) - 1) / 2) * width for number in range(len(MEASURES))]
        means = [each.mean for each in estimates]
        fill, hatch = FILLS[index % len(FILLS)]
        errors = [[each.mean - each.low for each in estimates], [each.high - each.mean for each in estimates]]
        panel.bar(
            places, means, width, label=name, color=fill, edgecolor="black", hatch=hatch, linewidth=0.8,
            yerr=errors, error_kw={"capsize": 3, "linewidth": 1.2},
        )  # fmt: skip
        for place, each in zip(places, estimates, strict=True):
            panel.text(place, each.high + 0.02, f"{each.mean:.3f}", ha="center", va="bottom", fontsize=LABEL_POINTS)
    questions = next(iter(modes.values())).queries
    panel.set_title(f"{title}: {questions} questions", loc="left", fontsize=10, parse_math=False)
    panel.set_xticks(range(len(MEASURES)), MEASURES)
    panel.set_ylabel("mean over questions")
    panel.set_ylim(0, 1.12)
    panel.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    panel.grid(axis="y", linewidth=0.4, alpha=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _can_draw(text: str, fonts: list[str]) -> bool:
    from matplotlib import font_manager

    drawn = [font_manager.get_font(font_manager.findfont(name)).get_charmap() for name in fonts]
    return all(any(ord(character) in charmap for charmap in drawn) for character in text)
