"""Runs of characters that are longer than allowed are found wherever they stand, and shorter ones never."""

from __future__ import annotations

import pytest

from app.language.runs import Runs

LONGEST = 7


@pytest.mark.parametrize("before", range(2 * LONGEST + 3))
@pytest.mark.parametrize("after", [0, 1, LONGEST])
def test_a_run_is_too_long_by_its_length_alone(before, after):
    runs = Runs("xy", LONGEST)
    allowed, longer = (f"{'.' * before}{'xy' * LONGEST}"[: before + length] for length in (LONGEST, LONGEST + 1))
    assert not runs.are_in(allowed + "." * after)
    assert runs.are_in(longer + "." * after)


def test_several_runs_as_long_as_allowed_are_none_that_is_too_long():
    runs = Runs("x", LONGEST)
    assert not runs.are_in(("x" * LONGEST + ".") * 100)
    assert runs.are_in(("x" * LONGEST + ".") * 100 + "x" * (LONGEST + 1))


def test_a_larger_class_only_says_where_to_look():
    runs = Runs("x", LONGEST, among="xy")
    assert not runs.are_in("xy" * 100)
    assert runs.are_in("y" * 10 + "x" * (LONGEST + 1))
