"""When a training has nothing more to learn, told from the losses that it has logged. Pure.

What counts is the loss on the held-out rows; without them, that on the trained rows, as the mean of all steps between
two measurements. A loss of two thousandths still falls by hairs, step after step: a gain is at least a share of the
lowest loss so far, and trained rows that are known by heart end a training whatever the held-out ones do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

Stopped = Literal["no_gain", "known"]

# A smaller share of the loss to beat is no gain. Small gains add up: that loss stays until it is beaten by enough.
MIN_GAIN = 0.01
# The share of the first step's loss from which on the trained rows are known by heart.
KNOWN = 0.01


def reason_to_stop(logged: Sequence[Mapping[str, float]], *, every: int, patience: int) -> Stopped | None:
    """Say whether the measurement that was logged last is where to stop. `every` counts the steps between two."""
    trained = [each["loss"] for each in logged if "loss" in each]
    windows = [fmean(trained[at : at + every]) for at in range(0, len(trained) - every + 1, every)]
    if not windows:
        return None
    if windows[-1] <= KNOWN * trained[0]:
        return "known"
    measured = [each["eval_loss"] for each in logged if "eval_loss" in each]
    return "no_gain" if _without_gain(measured or windows) >= patience else None


def _without_gain(losses: Sequence[float]) -> int:
    """Return how many measurements there are after the last gain."""
    to_beat, since = losses[0], 0
    for loss in losses[1:]:
        gained = to_beat - loss >= MIN_GAIN * abs(to_beat)
        to_beat, since = (loss, 0) if gained else (to_beat, since + 1)
    return since
