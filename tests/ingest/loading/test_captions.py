"""How captions begin, in PDFs, slides and sheets alike."""

from __future__ import annotations

import pytest

from ingest.loading.parsers.captions import begins_caption


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("그림 1 등대", True), ("[사진 2-1] 나루", True), ("Figure 3. The mill", True), ("Fig 4", True),
        ("그림 1은 등대이다.", False), ("도표를 보라", False), ("Figures 1 and 2 show it.", False), ("표 1", False),
    ],
)  # fmt: skip
def test_a_caption_begins_with_its_number(text, begins):
    assert begins_caption(text) == begins
