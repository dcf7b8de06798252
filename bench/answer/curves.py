"""Which knobs refuse, as curves of outcomes and as a picture of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.answer.asking import NONE, Outcome
from bench.answer.data import LANGUAGES
from bench.answer.figures import Point, curve, kinds

LINES = (("#08519c", "-"), ("#d94801", "--"), ("#238b45", "-."), ("#6a51a3", ":"))
MARKS = "osD^v"
PANEL_INCHES = (4.6, 3.8)

Curves = dict[str, list[Point]]


def curves(way: str, outcomes: Sequence[Outcome]) -> Curves:
    """By knob. Where a knob is looked at alone, the extractive answerer answers whatever its own one says."""
    if way != NONE:
        return {"min_score, fused": curve(outcomes, lambda each: each.fused, lambda each: each.contains, guarded=True)}
    return {
        "share of the question (BEARS_ON)": _extractive(outcomes, "bearing", guarded=False),
        "min_score, cosine, alone": _extractive(outcomes, "cosine", guarded=False),
        "min_score, fused, alone": _extractive(outcomes, "fused", guarded=False),
        "min_score, fused, beside BEARS_ON": _extractive(outcomes, "fused", guarded=True),
    }


def _extractive(outcomes: Sequence[Outcome], score: str, *, guarded: bool) -> list[Point]:
    return curve(
        outcomes, lambda each: float(getattr(each, score)), lambda each: each.extract_contains, guarded=guarded
    )


def at_answered(points: Sequence[Point], share: float) -> Point | None:
    """The one that refuses most while at least `share` of the answerable questions is answered."""
    enough = [point for point in points if point.answered >= share - 1e-9]
    return max(enough, key=lambda point: point.value, default=None)


def draw(outcomes: Mapping[str, Sequence[Outcome]], path: Path) -> None:
    """A row for each language, a column for each kind: the knobs of the way that was asked most as lines, each way as
    a point."""
    of = {
        way: {language: [one for one in each if one.language == language] for language in LANGUAGES}
        for way, each in outcomes.items()
    }
    languages = [language for language in LANGUAGES if any(of[way][language] for way in of)]
    main = max(of, key=lambda way: sum(map(len, of[way].values())))
    columns = {language: kinds(of[main][language]) for language in languages}
    width = max(map(len, columns.values()))
    figure = Figure((PANEL_INCHES[0] * width, PANEL_INCHES[1] * len(languages)), layout="constrained")
    panels = figure.subplots(len(languages), width, squeeze=False)
    for row, language in zip(panels, languages, strict=True):
        for panel in row[len(columns[language]) :]:
            panel.set_axis_off()
        for panel, kind in zip(row, columns[language], strict=False):
            _lines(panel, curves(main, of[main][language]), kind)
            for mark, way in zip(MARKS, of, strict=False):
                _point(panel, of[way][language], kind, way, mark)
            panel.set_title(f"{LANGUAGES[language]}: {kind}", fontsize=10)
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def _lines(panel: Axes, knobs: Curves, kind: str) -> None:
    for (colour, style), (name, points) in zip(LINES, knobs.items(), strict=False):
        panel.plot([p.answered for p in points], [p.refused[kind] for p in points], style, color=colour, label=name)
    panel.plot([0, 1], [1, 0], color="grey", linewidth=0.6)
    panel.set_xlabel("answerable questions answered")
    panel.set_ylabel("unanswerable ones refused")
    panel.set_xlim(0, 1.02)
    panel.set_ylim(0, 1.02)
    panel.grid(linewidth=0.4, alpha=0.6)


def _point(panel: Axes, outcomes: Sequence[Outcome], kind: str, way: str, mark: str) -> None:
    answered = [not each.refused for each in outcomes if each.kind is None]
    refused = [each.refused for each in outcomes if each.kind == kind]
    if answered and refused:
        place = ([sum(answered) / len(answered)], [sum(refused) / len(refused)])
        panel.plot(*place, mark, color="black", label=f"as it is: {way}")
