"""What text loses before chunks are cut from it."""

from __future__ import annotations

import unicodedata

import pytest

from ingest.loading.clean_text import INVISIBLE, MAX_BLANK, MAX_SPECIAL, SPECIAL, UNUSUAL, USUAL_JOINERS, clean_text


@pytest.mark.parametrize("blank", [" ", "\u3000", "\u200b", "\u2060", "\u3164", "\u200b \u00ad", "\U000e0041"])
def test_a_long_run_of_nothing_to_see_becomes_one_break(blank):
    assert clean_text(f"가{blank * (MAX_BLANK + 1)}a") == "가 a"
    assert clean_text(f"가{blank * (MAX_BLANK + 1)}\na") == "가\na"
    assert clean_text(f"가\r\n{blank * (MAX_BLANK + 1)}\r\n\r\na") == "가\n\na"
    short = blank * (MAX_BLANK // len(blank))
    assert clean_text(f"가{short}a") == f"가{INVISIBLE.sub('', short)}a"


@pytest.mark.parametrize(
    "invisible", ["\u200b", "\xad", "\u2060", "\ufeff", "\u034f", "\u200c", "\u200d", "\ufe0f", "\U000e0041"]
)
def test_a_word_holds_nothing_that_cannot_be_seen(invisible):
    assert clean_text(f"도서{invisible}관의 reser{invisible}vation{invisible} 12{invisible}3") in (
        "도서관의 reservation 123",
        # Before a space a joiner joins nothing.
        f"도서관의 reservation{invisible} 123",
    )
    assert clean_text(f"{invisible}가{invisible}") in ("가", f"{invisible}가{invisible}")


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u061c", "\u202a", "\u202c", "\u2068", "\u2069"])
def test_directions_stay_only_beside_text_from_right_to_left(mark):
    assert clean_text(f"도서{mark}관의 {mark}2031-04-05{mark}, read{mark}ing") == "도서관의 2031-04-05, reading"
    assert clean_text(f"שלום{mark} 도서관") == f"שלום{mark} 도서관"


@pytest.mark.parametrize("shown", ["👩\u200d💻", "می\u200cخواهم", "क्\u200dष", "❤\ufe0f", "葛\U000e0100城"])
def test_what_changes_the_look_of_other_scripts_stays(shown):
    assert clean_text(shown) == unicodedata.normalize("NFC", shown)


def test_of_the_control_characters_tabs_and_line_feeds_alone_stay():
    controls = "".join(map(chr, range(0xA0)))
    left = clean_text("".join(f"가{each}a" for each in controls))
    assert {each for each in left if unicodedata.category(each) == "Cc"} == {"\t", "\n"}
    # CSI, by which a terminal would clear its screen, in both ways to write it.
    assert clean_text("제목\x9b2J, \x1b[2J") == "제목2J, [2J"


def test_every_line_end_becomes_a_line_feed():
    for line_end in ("\r\n", "\r", "\n", "\v", "\f", "\x85", "\u2028"):
        assert clean_text(f"첫째{line_end}second") == "첫째\nsecond"
    assert clean_text("첫째\u2029second") == "첫째\n\nsecond"


def test_text_with_many_special_characters_is_cleaned_like_text_with_few():
    for each in ("도서\u200b관", "a\x00\u200db", "c\u202ad", "e\u2029f\v", "❤\ufe0f!", "me\r\nlon"):
        assert clean_text(f"{each}\n" * (MAX_SPECIAL + 1)) == f"{clean_text(each)}\n" * (MAX_SPECIAL + 1)


def test_of_what_is_usual_nothing_is_special_or_changes_when_text_is_normalised():
    usual = [chr(code) for code in range(0x110000) if not UNUSUAL.match(chr(code))]
    assert [each for each in usual if SPECIAL.match(each)] == sorted(USUAL_JOINERS)
    assert unicodedata.normalize("NFC", "".join(usual)) == "".join(usual)
    parts = [unicodedata.decomposition(chr(code)).split() for code in range(0x20000)]
    seconds = {chr(int(pair[1], 16)) for pair in parts if len(pair) == 2 and pair[0][0] != "<"}
    vowels_and_finals = {chr(code) for code in range(0x1160, 0x1200)}
    assert not [each for each in usual if unicodedata.combining(each) or each in seconds | vowels_and_finals]


def test_a_long_text_is_normalised_as_a_whole_would_be():
    line = "e\u0301 \u1100\u1161\u11a8 o\u0323\u0302 "
    text = "".join(line * n + "\n" * (n % 3) for n in range(40)) + "\u0301"
    assert clean_text(text) == unicodedata.normalize("NFC", text)
