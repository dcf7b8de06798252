from __future__ import annotations

from collections.abc import Sequence

import pytest

from ingest.tune.stopping import Stopped, reason_to_stop


def logged(losses: Sequence[float], measured: Sequence[float] = (), *, every: int = 2) -> list[dict[str, float]]:
    """As the trainer logs: each step's loss, and after every so many that of the held-out rows."""
    log = []
    for step, loss in enumerate(losses, start=1):
        log.append({"step": step, "loss": loss})
        if step % every == 0 and step // every <= len(measured):
            log.append({"step": step, "eval_loss": measured[step // every - 1]})
    return log


def stopped(losses: Sequence[float], measured: Sequence[float] = (), patience: int = 3) -> Stopped | None:
    return reason_to_stop(logged(losses, measured), every=2, patience=patience)


def test_hairs_are_no_gain():
    """A house style of 22 rows was learnt at a seventh of its steps; each measurement after was a hair lower."""
    assert stopped([2.0] * 8, [1.0, 0.999, 0.998, 0.997]) == "no_gain"
    assert stopped([2.0] * 8, [1.0, 0.98, 0.97, 0.96]) is None


def test_small_gains_add_up():
    losses = [1 - 0.004 * number for number in range(12)]
    assert stopped([2.0] * 24, losses) is None


def test_a_loss_that_rises_is_no_gain_and_patience_counts_from_the_best():
    assert stopped([2.0] * 6, [1.0, 1.5, 1.2]) is None
    assert stopped([2.0] * 8, [1.0, 1.5, 1.2, 1.01]) == "no_gain"
    assert stopped([2.0] * 10, [1.0, 1.5, 1.2, 0.5, 0.6]) is None


@pytest.mark.parametrize("measured", [(), (1.0, 0.5, 0.2)])
def test_known_rows_end_it_whatever_the_held_out_ones_do(measured):
    assert stopped([2.0, 1.0, 0.5, 0.1, 0.02, 0.02], measured) == "known"
    assert stopped([2.0, 1.0, 0.5, 0.1, 0.02, 0.03], measured) is None


def test_one_lucky_step_is_not_known():
    assert stopped([2.0, 1.0, 0.5, 0.001]) is None


def test_without_held_out_rows_the_mean_of_the_steps_between_counts():
    noisy = [1.0, 3.0, 2.9, 1.1, 1.2, 2.8, 1.0, 3.0]
    assert stopped(noisy) == "no_gain"
    assert stopped([*noisy[:6], 1.0, 1.0]) is None


def test_a_loss_of_nothing_gains_nothing():
    assert stopped([0.0] * 8, [0.0] * 4) == "known"
    assert reason_to_stop([], every=2, patience=1) is None
    assert reason_to_stop(logged([1.0]), every=2, patience=1) is None
