"""What text loses before chunks are cut from it."""

from __future__ import annotations

import pytest

from ingest.loading.clean_text import MAX_BLANK, clean_text


@pytest.mark.parametrize("blank", [" ", "\u3000", "\u200b", "\u2060", "\u3164", "\u200b \u00ad", "\U000e0041"])
def test_a_long_run_of_nothing_to_see_becomes_one_break(blank):
    assert clean_text(f"가{blank * (MAX_BLANK + 1)}a") == "가 a"
    assert clean_text(f"가{blank * (MAX_BLANK + 1)}\na") == "가\na"
    assert clean_text(f"가\r\n{blank * (MAX_BLANK + 1)}\r\n\r\na") == "가\n\na"
    short = blank * (MAX_BLANK // len(blank))
    assert clean_text(f"가{short}a") == f"가{short}a"
