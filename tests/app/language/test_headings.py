from __future__ import annotations

import time

import pytest

from app.language.headings import Outline, heading_path

RULES = """# 도서관 규정

이 규정은 도서관에 적용한다.

제1장 총칙

제1조(목적) 이 규정은 책을 빌리는 절차를 정한다.
제2조(정의) 이 규정에서 쓰는 말의 뜻은 다음과 같다.

제2장 대출
제7조의2(연장) ① 한 번에 열흘을 연장한다.
제3조(대상) 및 제4조(기간)에 따른 사람은 제외한다.
제9장 및 제10장에서 정하는 바에 따라 빌린 책은 제때 돌려주어야 한다.
"""
HANDBOOK = """# Keeping bees #

Bees are kept.

## Hives
Wood is best.

### Roofs

They are flat.

## Honey

```sh
# a comment
```

It is sweet.

Chapter 2 Wax

Article 7 (Candles)
Candles are made of wax.
Section 3 of this chapter applies to them.
"""


def under(text: str, words: str) -> list[str]:
    return heading_path(None, Outline(text).at(text.index(words)))


@pytest.mark.parametrize(
    ("text", "words", "path"),
    [
        (RULES, "이 규정은 도서관", ["도서관 규정"]),
        (RULES, "책을 빌리는", ["도서관 규정", "제1장 총칙", "제1조(목적)"]),
        (RULES, "쓰는 말의", ["도서관 규정", "제1장 총칙", "제2조(정의)"]),
        (RULES, "열흘", ["도서관 규정", "제2장 대출", "제7조의2(연장)"]),
        (RULES, "제외", ["도서관 규정", "제2장 대출", "제7조의2(연장)"]),
        (RULES, "돌려주어야", ["도서관 규정", "제2장 대출", "제7조의2(연장)"]),
        (HANDBOOK, "Bees are", ["Keeping bees"]),
        (HANDBOOK, "Wood", ["Keeping bees", "Hives"]),
        (HANDBOOK, "They", ["Keeping bees", "Hives", "Roofs"]),
        (HANDBOOK, "sweet", ["Keeping bees", "Honey"]),
        (HANDBOOK, "made of wax", ["Keeping bees", "Honey", "Chapter 2 Wax", "Article 7 (Candles)"]),
        (HANDBOOK, "of this chapter", ["Keeping bees", "Honey", "Chapter 2 Wax", "Article 7 (Candles)"]),
    ],
)
def test_a_place_stands_under_its_headings(text, words, path):
    assert under(text, words) == path


LOOKS = """
#hashtag
#
####### Seven
제1장 총칙 ······ 3
제1장에서 정한다.
제3조(대상)에 따라
제3조(대상) 제2항
제3조에 따라 정한다.
Chapter 2 is about wax.
Section 3 of this chapter applies,
Article of faith
"""


@pytest.mark.parametrize("line", [*LOOKS.strip().splitlines(), f"# {'long ' * 60}"])
def test_what_only_looks_like_one_is_none(line):
    assert under(f"{line}\n\nText.", "Text") == []


def test_a_part_stands_under_the_headings_that_it_begins_with():
    outline = Outline("# A\n\ntext\n\n## B\n\n### C\nmore")
    assert outline.under(0, 9) == ("# A",)
    assert outline.under(11, 100) == ("# A", "## B", "### C")
    assert outline.under(5, 100) == ("# A",)


def test_headings_go_on_in_a_part_and_end_where_a_new_one_begins():
    outline = Outline("text\n\n## C\n\nmore", ("# A", "## B"), fresh=(12,))
    assert [outline.at(place) for place in (0, 8, 12)] == [("# A", "## B"), ("# A", "## C"), ()]


@pytest.mark.parametrize(
    ("title", "lines", "path"),
    [
        ("Bees", ("# Bees", "## Wax"), ["Bees", "Wax"]),
        ("꿀벌", ("# 밀랍", "제7조(초)"), ["꿀벌", "밀랍", "제7조(초)"]),
        (None, (), []),
        ("Bees", (), ["Bees"]),
    ],
)
def test_the_title_comes_first_and_once(title, lines, path):
    assert heading_path(title, lines) == path


@pytest.mark.parametrize("text", ["# " * 1000, "제1조(" * 1000, "Chapter 1" + " x" * 1000, "#" * 2000, "```\n" * 500])
def test_no_text_takes_long(text):
    def seconds(times: int) -> float:
        begin = time.thread_time()
        Outline(text * times)
        return time.thread_time() - begin

    assert seconds(40) < 20 * seconds(10) + 0.1
