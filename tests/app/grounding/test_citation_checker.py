"""An answer that is checked as it comes: what is shown, and when."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding.citations import CitationChecker, Support, cite
from tests.app.grounding.test_citations import BREAKS, CLAIMS, MARKERS, SHELF

QUESTION = "How long does shipping take?"


def come_in(parts: list[str], *, structured: bool = False) -> tuple[str, Support]:
    """What is shown on the way, and the whole."""
    checker = CitationChecker(SHELF, QUESTION, structured=structured)
    shown = ""
    for part in parts:
        shown += checker.feed(part)
        if checker.due:
            shown += checker.check()
    return shown, checker.finish()


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        # Nothing is kept back where there is no marker.
        (["Shipping ", "takes 5"], "Shipping takes 5"),
        # A marker waits for its sentence, and a bracket that may become one.
        (["Shipping takes 5 days ["], "Shipping takes 5 days"),
        (["Shipping takes 5 days", " [2", "]"], "Shipping takes 5 days"),
        (["Shipping takes 5 days [a"], "Shipping takes 5 days [a"),
        (["배송은 5일 걸립니다 [2].", " 달은 치즈로"], "배송은 5일 걸립니다"),
        # The sentence has ended: its marker is right, wrong, or of another source.
        (["Shipping takes 5 days [2].", " " + "Etc " * 12], "Shipping takes 5 days [2]. " + "Etc " * 11 + "Etc"),
        (["The moon is made of cheese [2].", " " + "Etc " * 12], "The moon is made of cheese. " + "Etc " * 11 + "Etc"),
        (["Shipping is 5 days [7].", "\n\n- " + "Etc " * 12], "Shipping is 5 days [2].\n\n- " + "Etc " * 11 + "Etc"),
        # The end of a sentence within code is none.
        (["`a[1]. B` " + "Etc " * 12], "`a"),
        (['{"days"', ": 5}"], ""),
    ],
)  # fmt: skip
def test_no_marker_is_shown_before_its_check(parts: list[str], shown: str):
    assert come_in(parts)[0] == shown
    assert come_in(list("".join(parts)))[0] == shown


PROSE = st.lists(st.sampled_from([*MARKERS, *BREAKS, *CLAIMS, "네. ", "Yes. ", "e.g. ", "```\n"]), max_size=16).map(
    "".join
)


@settings(max_examples=60, deadline=None)
@given(PROSE, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_the_pieces_it_comes_in_do_not_matter(answer: str, sizes: list[int]):
    answer = answer.strip()
    parts, at = [], 0
    while at < len(answer):
        parts.append(answer[at : at + sizes[len(parts) % len(sizes)]])
        at += len(parts[-1])
    shown, support = come_in(parts)
    assert support == cite(answer, SHELF, QUESTION)
    assert support.answer.startswith(shown)


@pytest.mark.parametrize("text", ['{"days": 5, "note": "[9]"}', '{"days": 5, "note": "cut [1'])
def test_json_is_shown_as_it_is(text: str):
    shown, support = come_in(list(text), structured=True)
    assert shown == support.answer == text
