"""How deep a search looks at first, and then."""

from __future__ import annotations

import pytest

from app.retrieval.depths import depths


@pytest.mark.parametrize(
    ("wanted", "wide", "found"),
    [(5, False, (20, 100, 1000)), (25, False, (100, 1000)), (50, False, (100, 1000)), (5, True, (100, 1000))],
)
def test_where_nothing_is_fused_it_begins_with_a_few(wanted, wide, found):
    assert depths(wanted, wide=wide) == found
