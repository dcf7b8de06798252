"""How many of the best chunks a search looks at: at first, and where that leaves too few that add something."""

from __future__ import annotations

from collections.abc import Sequence

# What each leg brings to the fusion: anything from 30 to 200 ranks the same (docs/decisions/0005). The second is for
# what is there in a hundred copies.
DEPTHS = (100, 1000)
# Where nothing is fused, so many times the hits wanted leave room for copies, and under a filter a hundred take half as
# long again.
ALONE = 4


def depths(wanted: int, *, wide: bool) -> Sequence[int]:
    """`wide` is what is fused, or shows what else there was."""
    first = ALONE * wanted
    return DEPTHS if wide or first >= DEPTHS[0] else (first, *DEPTHS)
