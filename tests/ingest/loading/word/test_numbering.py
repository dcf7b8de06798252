"""Lists and headings that Word numbers: the file holds the rule, the text the number."""

from __future__ import annotations

import pytest

from ingest.loading.parsers.list_numbers import formatted
from tests.ingest.loading.word.reading import blocks, read
from tests.ingest.made.word import item, level, listed, lists, p, style, word

LAW = lists(
    level(0, "decimal", "제%1장", '<w:pStyle w:val="Chapter"/>')
    + level(1, "decimal", "제%2조", '<w:lvlRestart w:val="0"/>')
    + level(2, "decimalEnclosedCircle", "%3")
    + level(3, "ganada", "%4.")
)
OUTLINE = lists(
    level(0, "upperRoman", "Article %1") + level(1, "decimal", "%1.%2", "<w:isLgl/>") + level(2, "lowerLetter", "(%3)")
)


def test_articles_count_on_through_chapters(tmp_path):
    body = (
        p("총칙", '<w:pStyle w:val="Chapter"/>') + p("목적", item(1, 1)) + p("정의", item(1, 1)) + p("용어", item(1, 2))
        + p("범위", item(1, 2)) + p("사람", item(1, 3)) + p("물건", item(1, 3))
        + p("보칙", '<w:pStyle w:val="Chapter"/>') + p("시행", item(1, 1)) + p("날짜", item(1, 2))
    )  # fmt: skip
    chapter = style("Chapter", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr><w:outlineLvl w:val="1"/></w:pPr>')
    assert blocks(tmp_path, word(body, numbering=LAW, styles=chapter)) == [
        "## 제1장 총칙", "제1조 목적", "제2조 정의", "① 용어", "② 범위", "가. 사람", "나. 물건",
        "## 제2장 보칙", "제3조 시행", "① 날짜",
    ]  # fmt: skip


def test_levels_restart_below_each_other_and_legal_ones_are_decimal(tmp_path):
    levels = [0, 1, 1, 2, 2, 1, 2, 0, 1]
    body = "".join(p(f"x{number}", item(1, each)) for number, each in enumerate(levels))
    assert blocks(tmp_path, word(body, numbering=OUTLINE)) == [
        "Article I x0", "1.1 x1", "1.2 x2", "(a) x3", "(b) x4", "1.3 x5", "(a) x6", "Article II x7", "2.1 x8",
    ]  # fmt: skip


def test_a_legal_number_keeps_its_zero(tmp_path):
    articles = level(0, "upperRoman", "Article %1.") + level(1, "decimalZero", "Section %1.%2", "<w:isLgl/>")
    body = p("Fees", item(1, 0)) + p("Rent", item(1, 1)) + p("Heat", item(1, 1))
    assert blocks(tmp_path, word(body, numbering=lists(articles))) == [
        "Article I. Fees", "Section 1.01 Rent", "Section 1.02 Heat",
    ]  # fmt: skip


def test_lists_of_one_kind_count_on_unless_one_starts_again(tmp_path):
    again = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    numbering = lists(level(0, "decimal", "%1)", start=3)) + listed(2, 1) + listed(3, 1, again)
    body = "".join(p(f"x{number}", item(number)) for number in (1, 2, 1, 3, 3, 1))
    assert blocks(tmp_path, word(body, numbering=numbering)) == ["3) x1", "4) x2", "5) x1", "5) x3", "6) x3", "7) x1"]


def test_a_paragraph_leaves_the_list_of_its_style(tmp_path):
    numbered = style("Clause", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>')
    derived = style("Sub", '<w:basedOn w:val="Clause"/>')
    body = p("a", '<w:pStyle w:val="Clause"/>') + p("b", f'<w:pStyle w:val="Sub"/>{item(0)}')
    body += p("c", '<w:pStyle w:val="Sub"/>') + p("") + p("", item(1)) + p("d", item(1))
    made = word(body, numbering=lists(level(0, "upperLetter", "%1.")), styles=numbered + derived)
    assert blocks(tmp_path, made) == ["A. a", "b", "B. c", "D. d"]


def test_a_list_takes_its_levels_from_a_style(tmp_path):
    link = '<w:abstractNum w:abstractNumId="9"><w:numStyleLink w:val="Terms"/></w:abstractNum>' + listed(9, 9)
    linked = lists(f'<w:styleLink w:val="Terms"/>{level(0, "koreanCounting", "%1,")}') + link
    assert blocks(tmp_path, word(p("가격", item(9)) + p("납기", item(9)), numbering=linked)) == ["일, 가격", "이, 납기"]


def test_bullets_suffixes_and_patterns_of_an_author(tmp_path):
    numbering = lists(
        level(0, "bullet", "\uf0b7"),
        level(0, "decimal", "표%1:", '<w:suff w:val="nothing"/>'),
        '<w:lvl w:ilvl="0"><w:numFmt w:val="custom" w:format="001, 002, 003, ..."/><w:numFmt w:val="decimal"/>'
        '<w:lvlText w:val="N-%1"/></w:lvl>',
        level(0, "none", "Note"),
        level(0, "bullet", "※"),
    )
    body = "".join(p(f"x{number}", item(number)) for number in (1, 2, 3, 4, 5))
    assert blocks(tmp_path, word(body, numbering=numbering)) == ["- x1", "표1:x2", "N-001 x3", "Note x4", "※ x5"]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("decimal", "1 2 10 21 30"), ("lowerRoman", "i ii x xxi xxx"), ("upperRoman", "I II X XXI XXX"),
        ("lowerLetter", "a b j u dd"), ("ganada", "가 나 차 사사 나나나"), ("chosung", "ㄱ ㄴ ㅊ ㅅㅅ ㄴㄴㄴ"),
        ("decimalEnclosedCircle", "① ② ⑩ ㉑ ㉚"), ("decimalEnclosedParen", "⑴ ⑵ ⑽ 21 30"),
        ("koreanDigital", "일 이 일영 이일 삼영"), ("koreanCounting", "일 이 십 이십일 삼십"),
        ("koreanLegal", "하나 둘 열 스물하나 서른"), ("ideographDigital", "一 二 一〇 二一 三〇"),
        ("chineseCounting", "一 二 十 二十一 三十"), ("ideographTraditional", "甲 乙 癸 21 30"),
        ("decimalZero", "01 02 10 21 30"), ("ordinal", "1st 2nd 10th 21st 30th"),
        ("cardinalText", "One Two Ten Twenty-one Thirty"), ("ordinalText", "First Second Tenth Twenty-first Thirtieth"),
        ("decimalFullWidth", "１ ２ １０ ２１ ３０"), ("aiueo", "ア イ コ ナ ホ"), ("unknown", "1 2 10 21 30"),
    ],
)  # fmt: skip
def test_number_formats(kind, written):
    assert [formatted(number, kind) for number in (1, 2, 10, 21, 30)] == written.split()


def test_numbers_beyond_their_system_are_decimal():
    for kind in ("ganada", "upperRoman", "decimalEnclosedCircle", "koreanLegal", "cardinalText", "lowerLetter"):
        assert formatted(123_456, kind) == "123456"
        assert formatted(0, kind) == "0"


def test_links_and_styles_in_a_circle_end(tmp_path):
    circle = "".join(
        f'<w:abstractNum w:abstractNumId="{n}"><w:numStyleLink w:val="S{3 - n}"/><w:styleLink w:val="S{n}"/>'
        "</w:abstractNum>" + listed(n, n)
        for n in (1, 2)
    )
    styles = "".join(style(f"S{n}", f'<w:basedOn w:val="S{3 - n}"/>') for n in (1, 2))
    body = p("a", f'<w:pStyle w:val="S1"/>{item(1)}') + p("b", item(7)) + p("c", item(1, 999))
    assert read(tmp_path, word(body, numbering=circle, styles=styles)).text == "a\n\nb\n\nc"


def test_a_style_that_takes_over_a_list_has_its_own_level(tmp_path):
    styles = style("Heading1", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>')
    second = '<w:basedOn w:val="Heading1"/><w:pPr><w:numPr><w:ilvl w:val="1"/></w:numPr></w:pPr>'
    styles += style("Heading2", second) + style("Third", second.replace("<w:pPr>", "<w:pPr><w:keepNext/>"))
    levels = level(0, "decimal", "제%1장", '<w:pStyle w:val="Heading1"/>')
    levels += level(1, "decimal", "제%2절", '<w:pStyle w:val="Heading2"/>')
    body = "".join(p(name, f'<w:pStyle w:val="{name}"/>') for name in ("Heading1", "Heading2", "Third", "Heading1"))
    found = blocks(tmp_path, word(body, styles=styles, numbering=lists(levels)))
    assert [each.lstrip("# ").split()[0] for each in found] == ["제1장", "제1절", "제2절", "제2장"]
