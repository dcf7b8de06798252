"""One round of bench.fairness: what one tenant's flood costs another, beside one well-behaved tenant."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence

import pytest

from bench.fairness import WORKER_FLOODS, Measured, beside, two_tenants
from bench.floods import FLOODS, WELL_BEHAVED, WELL_BEHAVED_INGEST, Target
from bench.service import working
from tests.conftest import home_with

MANY = 60
MOST_TIMES = 5
# Other processes disturb a measurement: a flood is too costly if it is so each time.
TRIES = 3
SECONDS_A_REQUEST = 3


def test_a_flood_takes_little_from_another_tenant(models, scratch, owner_url, pytestconfig):
    if not pytestconfig.getoption("--fairness"):
        pytest.skip("takes minutes and a quiet machine: make check-all, or --fairness")
    home = home_with(models, scratch / "fairness")
    with two_tenants(home, owner_url) as targets:
        with working(home, owner_url, 1, log_level="error"):
            for target in targets:
                target.fill(20)
            faults = too_costly(targets, WORKER_FLOODS, WELL_BEHAVED_INGEST)
        faults |= too_costly(targets, [each for each in FLOODS if each not in WORKER_FLOODS], WELL_BEHAVED)
    assert not faults


def too_costly(targets: Sequence[Target], floods: Collection[str], well_behaved: str) -> dict[str, float]:
    """Return the floods that cost too much in each try, and how many times as long requests took beside them."""
    measured: dict[str, float] = {}
    for _ in range(TRIES):
        median = medians(targets, (well_behaved, *floods), ingest=well_behaved == WELL_BEHAVED_INGEST)
        measured = {flood: round(median[flood] / median[well_behaved], 1) for flood in floods}
        floods = [flood for flood in floods if measured[flood] > MOST_TIMES]
        if not floods:
            break
    return {flood: measured[flood] for flood in floods}


def medians(targets: Sequence[Target], kinds: Sequence[str], *, ingest: bool) -> dict[str, float]:
    """Return the milliseconds of a request beside each of these, taken right after one another."""
    measured, found = Measured(targets[0]), dict[str, float]()
    for kind in kinds:
        with beside(kind, targets[1]):
            found[kind] = statistics.median(measured.times(MANY, MANY * SECONDS_A_REQUEST, ingest=ingest)[0])
        measured.settle()
    return found
