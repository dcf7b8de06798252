"""Plot a training's loss over its steps. matplotlib is loaded on first use."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from app.errors import MissingExtra

INCHES, DPI = (8, 4.5), 120
# Told apart without colour, too.
LINES: dict[str, dict[str, Any]] = {
    "loss": {"label": "training rows", "color": "#9ecae1", "linestyle": "-"},
    "eval_loss": {"label": "held-out rows", "color": "#08519c", "linestyle": "--", "marker": "o"},
}


def plot_loss(curve: Sequence[dict[str, Any]]) -> bytes:
    """Return a PNG. The points are those of ingest/tune/progress.py: `{step, loss}` or `{step, eval_loss}`."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra("A picture of the loss", "plots") from None
    figure = Figure(INCHES, layout="constrained")
    panel = figure.subplots()
    for name, style in LINES.items():
        points = [(point["step"], point[name]) for point in curve if name in point]
        if points:
            panel.plot([step for step, _ in points], [loss for _, loss in points], markersize=4, **style)
    panel.set_xlabel("step")
    panel.set_ylabel("loss")
    panel.set_ylim(bottom=0)
    panel.grid(linewidth=0.4, alpha=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI)
    return picture.getvalue()
