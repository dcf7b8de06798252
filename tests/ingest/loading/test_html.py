"""HTML as a browser shows it: nothing that is seen is lost, and literal text stays as it is written."""

from __future__ import annotations

import pytest

from ingest.loading.parsed import Options
from ingest.loading.parsers import html


def text_of(content: str, hidden: str = "skip") -> str:
    return html.read(content, Options(hidden)).text


@pytest.mark.parametrize(
    "literal",
    ["[별표 3](제5조/제6조)에 따른다", "cells[i](j.k/2)", "2**10 and **bold** stay", r"C:\new\# a \* b", "a_b_c ~~x~~"],
)
def test_literal_text_stays_as_it_is_written(literal):
    assert text_of(f"<p>{literal}</p>") == literal
    assert text_of(f"<table><tr><th>가</th><th>b</th></tr><tr><td>{literal}</td><td>1</td></tr></table>") == (
        f"| 가 | b |\n| --- | --- |\n| {literal} | 1 |"
    )


@pytest.mark.parametrize("tag", ["form", "header", "footer", "aside", "main", "article", "section", "fieldset"])
def test_no_element_hides_what_is_in_it(tag):
    assert text_of(f"<body><{tag}><h2>이용 안내</h2><p>The pool opens at six.</p></{tag}><p>끝</p>") == (
        "## 이용 안내\n\nThe pool opens at six.\n\n끝"
    )


def test_navigation_is_left_out_and_words_in_it_are_not():
    links = "<nav><ul><li><a href='/'>Home</a><li><a href='/b'>도서</a></ul></nav>"
    assert text_of(f"{links}<p>Text</p>") == "Text"
    assert text_of("<nav><p>이 장에서는 도서관을 이용하는 방법을 설명한다. <a href='#1'>1절</a></p></nav>") != ""


@pytest.mark.parametrize("role", ["", " role=presentation"])
def test_tables_that_lay_out_a_page_are_text(role):
    side = f"<table{role}><tr><td><h2>Visit</h2><p>Gate five.</p></td><td><p>세 시에 만난다.</p></td></tr></table>"
    outer = f"<table><tr><td>{side}</td></tr><tr><td>Footer</td><td>끝</td></tr></table>"
    assert text_of(outer) == "## Visit\n\nGate five.\n\n세 시에 만난다.\n\nFooter\n\n끝"


def test_tables_of_data_keep_their_cells():
    rows = "<tr><td rowspan=2>서울</td><td>한강</td><td></td></tr><tr><td>남산<br>둘레</td><td>a|b</td></tr>"
    head = "<thead><tr><th colspan=2>곳</th><th>Note</th></tr></thead>"
    assert text_of(f"<table><caption>표 1</caption>{head}<tbody>{rows}</tbody></table>") == (
        "표 1\n\n| 곳 | 곳 | Note |\n| --- | --- | --- |\n| 서울 | 한강 |  |\n| 서울 | 남산 둘레 | a\\|b |"
    )
    assert text_of("<table><tr><td>a<td>b<tr><td>c<td>d</table>") == "| a | b |\n| --- | --- |\n| c | d |"


def test_end_tags_may_be_missing_or_too_many():
    assert (
        text_of("<h1>Title <p>one<p>둘</div></td> three<ul><li>a<li>b</ul>") == "# Title\n\none\n\n둘 three\n\n- a\n- b"
    )
    inner = "<table><tr><td>x<td>y</tr></tr><tr><td>z<td>w</table>"
    assert text_of(f"<table><tr><th>h<th>i<tr><td>{inner} rest</td><td>끝</table>").endswith("| x y z w rest | 끝 |")


def test_lists_keep_their_numbers_and_levels():
    assert text_of("<ol start=3><li>셋<ul><li>inner</ul><li value=7>seven<p>more</ol>after") == (
        "3. 셋\n  - inner\n7. seven\n  more\n\nafter"
    )


def test_exponents_formulas_ruby_and_fields():
    assert text_of("<p>10<sup>6</sup> m<sup>2</sup>, H<sub>2</sub>O, word<sup>1</sup>") == "10^6 m^2, H2O, word1"
    # As Google Docs and word processors write it.
    assert text_of('<p>10<span style="font-size:7pt; vertical-align:super">4</span> A, 5<b>6</b>') == "10^4 A, 56"
    tex = "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics></math>"
    assert text_of(f"<p>식 {tex} 끝") == "식 $x^2$ 끝"
    assert text_of("<ruby>漢<rp>(</rp><rt>한</rt><rp>)</rp></ruby>") == "漢(한)"
    assert text_of("<form>이름 <input value='김가람'><input type=hidden value=secret></form>") == "이름 김가람"


def test_fields_show_what_was_entered_chosen_and_ticked():
    boxes = "<input type=checkbox checked>동의 <input type=radio>예<input type=radio checked>No"
    choice = "<select><option>서울<option selected>부 산</select><select><option>a</option><option>b</option></select>"
    every = "<select multiple><optgroup label=x><option>하나<option>둘</optgroup></select>"
    assert text_of(f"<form>{boxes} {choice}{every}</form>") == "☑ 동의 ○ 예 ◉ No 부 산 a 하나, 둘"
    assert text_of(f"<p>{boxes}") == "동의 예 No"
    assert text_of("<select><option>가<p>끝") == "가\n\n끝"
    assert text_of("<textarea>\n# 여러\n줄 &amp;</textarea>") == "```\n# 여러\n줄 &\n```"


def test_formulas_are_read_once_however_they_are_drawn():
    tex = "<annotation encoding='application/x-tex'>{}</annotation></semantics></math></span>"
    katex = f"<span class=katex><span class=katex-mathml><math><semantics><mi>x</mi>{tex.format('x^2')}"
    drawn = "<span class=katex-html aria-hidden=true><span>x</span><span>2</span></span></span>"
    assert text_of(f"<p>식 {katex}{drawn} 끝") == "식 $x^2$ 끝"
    assert text_of(f"<p>식 {drawn} end") == "식 x2 end"
    wiki = "<span class='mwe-math-mathml-inline' style='display: none;'><math><semantics><mi>E</mi>"
    energy = tex.format(r"{\displaystyle E=mc^{2}}")
    assert text_of(f"<p>질량 {wiki}{energy}<img alt=x> 끝") == "질량 $E=mc^{2}$ 끝"


def test_a_drawing_s_title_is_not_the_page_s():
    page = "<body><svg><title>돋보기</title></svg><h1>이용 안내</h1><p>글"
    assert html.read(page, Options()).title == "이용 안내"
    assert html.read(f"<title>Guide</title>{page}", Options()).title == "Guide"


def test_words_in_a_drawing_stand_for_it():
    drawing = "<svg{}><title>x</title><g><text>북쪽 <tspan>62</tspan></text><text>남쪽\n38</text></g></svg>"
    shown = text_of(f"<p>앞</p>{drawing.format('')}<svg><path d='M0'/></svg><p>뒤")
    assert shown == "앞\n\n[그림: 북쪽 62 남쪽 38]\n\n뒤"
    assert text_of(drawing.format(" style='display:none'") + "<p>뒤") == "뒤"


SHEET = """<style>@media print { .all { display: none } } .gone, p.one { color: red; display: none }
/* .all { display: none } */ #id { visibility: hidden } .two { display: none } .two.back { display: block }
div .all, .all::after { display: none }</style>"""


def test_what_a_style_sheet_hides_is_left_out_unless_a_script_may_show_it():
    seen = "<p class=all>a<p class=two hidden>x<p class='back two'>b<div class=one>c</div>"
    page = f"{seen}<p class=gone style='display:block'>d<p class=gone>x<p class='y one'>x<p id=id>x<p class=two>x<p>끝"
    parsed = html.read(SHEET + page, Options())
    assert (parsed.text.split("\n\n"), len(parsed.warnings)) == (["a", "b", "c", "d", "끝"], 1)
    assert "[Hidden: x]" in text_of(SHEET + page, "mark")
    assert text_of(f"{SHEET}<script>show()</script><p class=gone>a").split("\n\n") == ["a"]
    assert text_of("<dialog>x</dialog><dialog open>열림</dialog>") == "열림"


def test_a_table_s_foot_is_below_its_rows():
    foot = "<tfoot><tr><td rowspan=2>합<td>9<tr><td>10"
    assert text_of(f"<table><caption>표</caption>{foot}<tbody><tr><td>어른<td>5<tr><td>아이<td>4</table>") == (
        "표\n\n| 어른 | 5 |\n| --- | --- |\n| 아이 | 4 |\n| 합 | 9 |\n| 합 | 10 |"
    )


def test_lists_are_numbered_as_their_style_says():
    styled = "<ol style='list-style-type: lower-alpha'><li>가<li>나</ol><ol style='list-style:none'><li>다</ol>"
    assert text_of(f"{styled}<p><q>말</q>") == "a. 가\nb. 나\n\n다\n\n“말”"
    korean = "<ol style='list-style-type: hangul'><li>x<li>y</ol><ol style='list-style: disc'><li>z</ol>"
    assert text_of(korean) == "가. x\n나. y\n\n- z"
    assert text_of("<ul style='list-style: decimal'><li>x<li>y</ul><ul type=a><li>z") == "1. x\n2. y\n\n- z"


def test_deleted_text_comments_and_programs_are_not_text():
    assert text_of("<p>요금은 <del>오천</del> 육천 원<!-- 검토 --><script>if (a<b) '</p>'</script>") == "요금은 육천 원"


HIDDEN = "<p>보인다</p><div hidden><p>숨은 글</p></div><p style='color:red; display : none'>unseen</p><p>seen"


def test_hidden_text_is_left_out_and_told():
    parsed = html.read(HIDDEN, Options())
    assert parsed.text == "보인다\n\nseen"
    assert [notice.code for notice in parsed.warnings] == ["hidden_part_skipped"]
    assert html.read("<p>seen</p><p hidden> </p>", Options()).warnings == []


def test_hidden_text_is_marked_where_it_is_asked_for():
    parsed = html.read(HIDDEN, Options("mark"))
    assert parsed.text == "보인다\n\n[숨김: 숨은 글]\n\n[Hidden: unseen]\n\nseen"
    assert parsed.warnings == []
    rows = "<table><tr><th>a<th>b<tr hidden><td>1<td>둘</table>"
    assert text_of(rows, "mark").endswith("| [Hidden: 1] | [숨김: 둘] |")
    assert text_of(f"{rows}<p>") == "a\n\nb" or "1" not in text_of(rows)


def test_lines_of_code_do_not_become_headings():
    assert text_of("<pre>a\n  b</pre>") == "a\n  b"
    parsed = html.read("<pre># comment\n| x |</pre><h1>제목</h1>", Options())
    assert (parsed.title, parsed.text) == ("제목", "```\n# comment\n| x |\n```\n\n# 제목")


def test_lists_are_numbered_as_they_say():
    shown = text_of("<ol type=a><li>가<ol type=I start=4><li>x<li>y</ol><li>b</ol><ol type=A><li value=3>c</ol>")
    assert shown == "a. 가\n  IV. x\n  V. y\nb. b\n\nC. c"


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        ("<msup><mn>10</mn><mn>6</mn></msup>", "10^6"),
        ("<mml:mfrac><mml:mi>a</mml:mi><mml:mrow><mml:mi>b</mml:mi><mml:mo>+</mml:mo></mml:mrow></mml:mfrac>",
         "\\frac{a}{b+}"),
        ("<semantics><msub><mi>x</mi><mn>1</mn></msub><annotation encoding='application/x-tex'> x_1 </annotation>"
         "<annotation encoding='text/plain'>no</annotation></semantics>", "x_1"),
        ("<mrow>" * 300 + "<mi>z</mi>", "z"),
    ],
)  # fmt: skip
def test_formulas_are_written_in_their_place(formula, latex):
    assert text_of(f"<p>면적은 <math>{formula}</math> m이다.</p>") == f"면적은 ${latex}$ m이다."
    assert text_of(f"<div>A <math>{formula}<p>next</p>") == f"A ${latex}$\n\nnext"
    assert text_of(f"<p hidden>A <math>{formula}</math></p>끝") == "끝"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p># 여섯</p><p>a<br>## b</p>", "    # 여섯\n\na\n    ## b"),
        (
            "<ol reversed><li>a<ol><li>x</ol><li>b</ol><ol reversed start=9><li>c<li>d",
            "2. a\n  1. x\n1. b\n\n9. c\n8. d",
        ),
        ("<div style='white-space: pre-wrap'>첫 줄\n  둘째\n# 셋째</div>", "첫 줄\n  둘째\n    # 셋째"),
        ("<ul><li style='white-space:pre'><p>가<li style='white-space:pre'>나</ul><p>뒤", "- 가\n- 나\n\n뒤"),
        ("<p><span style='white-space:pre-line'>a\n  b</span> c\nd</p>", "a\nb c d"),
        ("<pre>a\n<b style='white-space:normal'>b\nc</b></pre>", "a\nb c"),
    ],
)
def test_marks_line_ends_and_numbers_are_those_that_a_browser_shows(content, text):
    assert text_of(content) == text


def test_a_cell_reaches_to_the_end_of_its_rows_and_no_further():
    rows = "<tr><td rowspan=0>x<td>1<tr><td>2"
    assert text_of(f"<table><tr><th>a<th>b<tbody>{rows}<tbody><tr><td>y<td>3</table>").splitlines()[2:] == [
        "| x | 1 |", "| x | 2 |", "| y | 3 |",
    ]  # fmt: skip
    head = "<thead><tr><th rowspan=3>a<th>b</thead>"
    assert text_of(f"<table>{head}<tr><td>1<td>2</table>") == "| a | b |\n| --- | --- |\n| 1 | 2 |"
