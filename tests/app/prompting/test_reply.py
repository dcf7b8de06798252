from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.prompting.elements import END_OF_THINKING, NO_ANSWER, THINK
from app.prompting.reply import Reply


def read(*parts: str, structured: bool = False) -> tuple[Reply, str]:
    reply = Reply(structured=structured)
    shown = "".join(reply.feed(part) for part in parts) + reply.end()
    return reply, shown


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("text", "reasoning", "answer", "declined"),
    [
        ("Thirty days [1].", "", "Thirty days [1].", False),
        ("\n 서른 날입니다 [1].", "", "서른 날입니다 [1].", False),
        (f"{THINK}It says thirty.{END_OF_THINKING}\n\nThirty days.", "It says thirty.", "Thirty days.", False),
        (f"It says thirty.{END_OF_THINKING}Thirty days.", "It says thirty.", "Thirty days.", False),
        (
            f"{THINK}If not, {NO_ANSWER}? But it is.{END_OF_THINKING}Thirty.",
            f"If not, {NO_ANSWER}? But it is.",
            "Thirty.",
            False,
        ),
        (f"{THINK}Nothing there.{END_OF_THINKING}{NO_ANSWER}", "Nothing there.", "", True),
        (NO_ANSWER, "", "", True),
        (f"문서에 없습니다. {NO_ANSWER} 죄송합니다.", "", "", True),
        (f"{THINK}never ends", "never ends", "", False),
        ("<thin ice> [[NO", "", "<thin ice> [[NO", False),
        ("a[[b]] and [1][2]", "", "a[[b]] and [1][2]", False),
        ("", "", "", False),
    ],
)
def test_reasoning_answer_and_refusal(text, reasoning, answer, declined, size):
    reply, shown = read(*pieces(text, size))
    assert (reply.reasoning, reply.answer, reply.declined) == (reasoning, answer, declined)
    assert NO_ANSWER not in shown
    assert THINK not in shown


def test_a_marker_is_held_back_and_nothing_else():
    reply = Reply()
    assert [reply.feed(part) for part in ("So ", "[", "1] ", "and [[NO_", "ANSWER", "]]")] == [
        "So ",
        "",
        "[1] ",
        "and ",
        "",
        "",
    ]
    assert reply.declined


@given(st.lists(st.text(alphabet="[]NO_ANSWER<>/think가 ", max_size=12), max_size=8))
def test_nothing_is_lost_however_it_is_cut(parts):
    reply, shown = read(*parts)
    whole, _ = read("".join(parts))
    assert (reply.reasoning, reply.answer, reply.declined) == (whole.reasoning, whole.answer, whole.declined)
    if not reply.declined and END_OF_THINKING not in "".join(parts):
        assert reply.answer == shown


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("text", "answer", "declined"),
    [
        ('{"days": 30}', '{"days": 30}', False),
        ('{"no_answer": true}', "", True),
        ('{ "no_answer" :\ntrue }', "", True),
        ('{"no_answer": false}', '{"no_answer": false}', False),
        ('{"no', '{"no', False),
    ],
)
def test_json_declines_by_an_object_of_its_own(text, answer, declined, size):
    reply, shown = read(*pieces(text, size), structured=True)
    assert (reply.answer, reply.declined) == (answer, declined)
    assert shown == answer
