"""Markdown as it is written, but for what is not for readers."""

from __future__ import annotations

import pytest

from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import markdown

DATA = "data:image/jpeg;base64," + "/9j/4AAQSkZJRg" * 50


def read(content: str) -> Parsed:
    return markdown.read(content, Options())


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("---\ntitle: 도서관 규정\ndate: 2031-04-05\n---\n\n# Other\n\ntext", "도서관 규정"),
        ("---\r\ntitle: \"Rules: 'new'\"\r\n---\r\ntext", "Rules: 'new'"),
        ('+++\ntitle = "규정"\n+++\ntext', "규정"),
        ("Setting up\n==========\n\ntext", "Setting up"),
        ("intro\n\n차례\n===\n\ntext", "차례"),
        ("```\n# a comment\n```\n\n# 제목\n", "제목"),
        ("---\n\nJust a rule.\n\n---\n", None),
        ("Just text.\n", None),
        ("<!-- licence -->\r\n\r\n도서관 규정\r\n=====\r\n\r\ntext", "도서관 규정"),
        ("도서관\n이용 규정\n===\n\ntext", "도서관 이용 규정"),
        ("   # 도서관 규정 {#rules}\n", "도서관 규정"),
        ("# **Rules** of [the *pool*](https://example.org) `v2` \\*\n", "Rules of the pool v2 *"),
        ('intro\n\n<h1 align="center">\n  <img src="logo.png"> 도서관 <em>규정</em>\n</h1>\n', "도서관 규정"),
        ("---\ntitle: >-\n  Rules\n  of the pool\n---\ntext", "Rules of the pool"),
    ],
)
def test_a_title_stands_in_the_front_matter_or_in_a_heading(content, title):
    assert read(content).title == title


def test_underlined_headings_are_headings():
    assert read("제목\n===\n\n둘째\n---\n\ntext\n").text == "# 제목\n\n## 둘째\n\ntext\n"
    kept = "two\nlines\n---\n\n- item\n---\n\n***\n---\n\n```\nx\n===\n```\n"
    assert read(kept).text == kept


def test_rows_of_tables_have_pipes_at_their_ends():
    table = "| 밭 | 물 |\n| --- | :-: |\n| a | 1 |\n| b | 2 |"
    assert read("x | y\n\n밭 | 물\n--- | :-:\na | 1\n| b | 2\n\nc | d\n").text == f"x | y\n\n{table}\n\nc | d\n"
    assert read(f"{table}\n# e | f\ng | h\n").text == f"{table}\n# e | f\ng | h\n"


def test_tables_of_html_are_tables():
    rows = "<tr><th>밭<th>물</tr>\n<tr><td rowspan=2>**a**<td>1<!-- x --></tr>\n<tr><td>2</tr>"
    table = "| 밭 | 물 |\n| --- | --- |\n| **a** | 1 |\n| **a** | 2 |"
    assert read(f"앞\n<div><table>\n{rows}\n</table></div>\n뒤").text == f"앞\n<div>\n\n{table}\n</div>\n뒤"
    layout = "<table><tr><td><img src='a.png'><td>text</table>"
    kept = f"```html\n<table>{rows.replace('<!-- x -->', '')}</table>\n```\n\n{layout}\n\n`<table>` <table>\n<table>"
    assert read(kept).text == kept


def test_front_matter_keeps_what_is_not_the_title():
    assert (
        read("---\ntitle: T\nauthor: 김가람\ntags:\n  - pool\n---\n\ntext").text
        == "author: 김가람\ntags:\n  - pool\n\n\ntext"
    )
    assert read("---\nnot: closed\n\ntext").text == "---\nnot: closed\n\ntext"


@pytest.mark.parametrize(
    "picture",
    [
        f"![그림]({chr(10).join(DATA[at : at + 76] for at in range(0, len(DATA), 76))})",
        f"![그림][p]\n\n[p]:\n  <{DATA}>",
        f"[그림]({DATA})",
        f"<img\n  src='{DATA}'\n  alt='그림'>",
        f"<p style='background: url({DATA})'>그림",
        f"![그림]({DATA})",
        f'![그림](<{DATA}> "title")',
        f"![그림][p]\n\n[p]: {DATA}",
        f"![그림][p]\n\n[p]: <{DATA}>\n",
    ],
)
def test_pictures_as_data_leave_their_description(picture):
    parsed = read(f"가마는 여섯 시간 땐다. {picture}\n\nLet it cool.")
    assert parsed.text.split() == ["가마는", "여섯", "시간", "땐다.", "그림", "Let", "it", "cool."]
    assert [(each.code, "1" in each.detail) for each in parsed.warnings] == [("picture_without_text", True)]


def test_pictures_in_files_and_tags_stay():
    kept = "![a](a.png) ![b][ref] <img src='c.png'>\n\n[ref]: https://example.org/b.png"
    assert (read(kept).text, read(kept).warnings) == (kept, [])
    assert read(f"a <img alt='x' src='{DATA}'> b").text == "a x b"
    kept = "[a][b], [c](d) and <img\nsrc='e.png'>\n\n```html\n<img\n  src='data:image/png;base64,AAAA'>\n```\n"
    assert (read(kept).text, read(kept).warnings) == (kept, [])
    assert "next words" in read(f"[p]: {DATA}\n\nnext words").text


def test_comments_are_not_text():
    memo = "<!-- memo\nof two\n\nlines -->"
    content = (
        f"배는 가을에 딴다.{memo} Cool.\n\n[//]: # (메모)\n[comment]: <> (note\nof two lines)\n\n<!-- x -->\n끝<!---->."
    )
    assert read(content).text == "배는 가을에 딴다.\n Cool.\n\n\n끝."
    kept = "Write `<!-- x -->` or\n\n~~~html\n<!-- y -->\n~~~\n\n`` a ` <!-- b -->`` \\[//\\]: # <!-- never closed"
    assert read(kept).text == kept


def test_data_that_stands_bare_in_a_text_is_left_out():
    data = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"
    found = markdown.read(f"그림 {data} 끝\n\n<{data}>\n\n`{data}`\n", Options())
    assert found.text == f"그림  끝\n\n\n\n`{data}`\n"
    assert [each.code for each in found.warnings] == ["picture_without_text"]


def test_lines_that_change_leave_those_around_them_as_they_are():
    few = ["첫째", "둘째  ", "", "- third"]
    code = ["````", "===", "```", "````"]
    content = [
        *few,
        "Kiln",
        "====",
        *few,
        "a | b",
        "--|--",
        "1 | 2",
        *few,
        *code,
        *few,
        "<h2>Heat",
        "slowly</h2>",
        *few,
    ]
    shown = [*few, "# Kiln", *few, "| a | b |", "| --|-- |", "| 1 | 2 |", *few, *code, *few, "## Heat slowly", *few]
    assert read("\n".join(content)).text == "\n".join(shown)


def test_pictures_as_data_leave_what_describes_them():
    content = "글 ![등대][] ![Mill] <img src='data:image/png;base64,AAAA' alt='안내도'/> [a] ![b](b.png)\n\n"
    content += "[등대]: data:image/png;base64,AAAA\n[mill]: data:image/png;base64,AAAA\n"
    found = markdown.read(content, Options())
    assert found.text.strip() == "글 등대 Mill 안내도 [a] ![b](b.png)"
    assert [notice.code for notice in found.warnings] == ["picture_without_text"]


def test_rows_without_pipes_at_their_ends_keep_their_empty_cells():
    content = "이름 | 값 | Note\n--- | --- | ---\n가 | 1 | \n나 | 2 | x\n다 | |\n"
    assert markdown.read(content, Options()).text == (
        "| 이름 | 값 | Note |\n| --- | --- | --- |\n| 가 | 1 |  |\n| 나 | 2 | x |\n| 다 | |  |\n"
    )


def test_front_matter_may_have_keys_in_quotes_and_of_several_words():
    content = '---\n"title": "벌 치는 법"\n만든 날: 2031-04-05\ntags: [\n  a,\n]\n---\n# Other\n'
    found = markdown.read(content, Options())
    assert (found.title, found.text) == ("벌 치는 법", "만든 날: 2031-04-05\ntags: [\n  a,\n]\n\n# Other\n")
