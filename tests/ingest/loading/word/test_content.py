"""What stands in and beside paragraphs: equations, fields, signs, tables, drawings, headers, pages."""

from __future__ import annotations

import pytest

from tests.ingest.loading.word.reading import blocks, codes, read
from tests.ingest.made.word import cell, item, level, lists, p, part, r, row, style, t, table, word


def test_headings_by_style_name_and_outline(tmp_path):
    styles = '<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/></w:style>'
    styles += style("Mine", '<w:basedOn w:val="2"/>') + style("Title") + style("Quiet", '<w:outlineLvl w:val="9"/>')
    body = p("대장", '<w:pStyle w:val="Title"/>') + p("첫 마디", '<w:pStyle w:val="2"/>')
    body += p("둘째 마디", '<w:pStyle w:val="Mine"/>') + p("direct", '<w:outlineLvl w:val="3"/>')
    body += p("plain", '<w:pStyle w:val="2"/><w:outlineLvl w:val="9"/>') + p("# not a heading", "")
    body += p("calm", '<w:pStyle w:val="Quiet"/>') + p("", '<w:pStyle w:val="2"/>')
    parsed = read(tmp_path, word(body, styles=styles))
    assert parsed.title == "대장"
    assert parsed.text.split("\n\n") == [
        "# 대장", "## 첫 마디", "## 둘째 마디", "#### direct", "plain", "    # not a heading", "calm",
    ]  # fmt: skip


def test_literal_text_stays_as_it_is(tmp_path):
    texts = ["1. 개요", "2**10 \\ 3", "[a](b) `c` <d> R&D", "a_b_c ~x~ - + #", "- dash"]
    assert blocks(tmp_path, word("".join(map(p, texts)))) == texts


def m(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("inner", "latex"),
    [
        (f"<m:f><m:num>{m('s')}</m:num><m:den>{m('t')}</m:den></m:f>", "\\frac{s}{t}"),
        (f"<m:sSup><m:e>{m('x')}</m:e><m:sup>{m('2')}</m:sup></m:sSup>{m('+1')}", "x^2+1"),
        (f"<m:sSubSup><m:e>{m('a+b')}</m:e><m:sub>{m('ij')}</m:sub><m:sup>{m('n')}</m:sup></m:sSubSup>",
         "{a+b}_{ij}^n"),
        (f"<m:rad><m:radPr><m:degHide m:val='1'/></m:radPr><m:deg/><m:e>{m('2')}</m:e></m:rad>", "\\sqrt{2}"),
        (f"<m:rad><m:deg>{m('3')}</m:deg><m:e>{m('x')}</m:e></m:rad>", "\\sqrt[3]{x}"),
        (f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{m('i=1')}</m:sub><m:sup>{m('n')}</m:sup>"
         f"<m:e>{m('i')}</m:e></m:nary>", "\\sum_{i=1}^n i"),
        (f"<m:d><m:e>{m('a')}</m:e><m:e>{m('b')}</m:e></m:d>", "(a|b)"),
        (f"<m:d><m:dPr><m:begChr m:val='{{'/><m:endChr m:val=''/></m:dPr><m:e><m:eqArr><m:e>{m('a')}</m:e>"
         f"<m:e>{m('b')}</m:e></m:eqArr></m:e></m:d>",
         "\\left\\{\\begin{aligned}a \\\\ b\\end{aligned}\\right."),
        (f"<m:m><m:mr><m:e>{m('1')}</m:e><m:e>{m('2')}</m:e></m:mr><m:mr><m:e>{m('3')}</m:e><m:e>{m('4')}</m:e>"
         "</m:mr></m:m>", "\\begin{matrix}1 & 2 \\\\ 3 & 4\\end{matrix}"),
        (f"<m:func><m:fName>{m('sin')}</m:fName><m:e>{m('θ')}</m:e></m:func>", "\\sin θ"),
        (f"<m:func><m:fName><m:limLow><m:e>{m('lim')}</m:e><m:lim>{m('n→∞')}</m:lim></m:limLow></m:fName>"
         f"<m:e>{m('n')}</m:e></m:func>", "\\lim_{n→∞} n"),
        (f"<m:acc><m:accPr><m:chr m:val='\u20d7'/></m:accPr><m:e>{m('v')}</m:e></m:acc>", "\\vec{v}"),
        (f"<m:bar><m:barPr><m:pos m:val='top'/></m:barPr><m:e>{m('x')}</m:e></m:bar>", "\\overline{x}"),
        ("<m:r><m:rPr><m:nor/></m:rPr><m:t>속도 50%</m:t></m:r>", "\\text{속도 50\\%}"),
    ],
)  # fmt: skip
def test_an_equation_stands_in_its_place_as_latex(tmp_path, inner, latex):
    body = p(r("앞 ") + f"<m:oMath>{inner}</m:oMath>" + r(" 뒤"))
    assert blocks(tmp_path, word(body)) == [f"앞 ${latex}$ 뒤"]


def test_a_display_equation_is_a_paragraph(tmp_path):
    body = p("앞") + p(f"<m:oMathPara><m:oMath>{m('E=mc')}</m:oMath></m:oMathPara>") + p("뒤")
    assert blocks(tmp_path, word(body)) == ["앞", "$E=mc$", "뒤"]


def code(instruction: str, result: str) -> str:
    marks = [f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")]
    instructed = instruction if instruction.startswith("<") else f"<w:r><w:instrText>{instruction}</w:instrText></w:r>"
    return f"{marks[0]}{instructed}{marks[1]}{result}{marks[2]}"


def test_fields_give_their_results(tmp_path):
    nested = f"<w:r><w:instrText>IF </w:instrText></w:r>{code('DATE', r('HIDDEN'))}"
    body = p(r("표 ") + code("SEQ 표", r("3")) + r(": ") + code(nested, r("yes")))
    body += p(f'<w:fldSimple w:instr="REF x">{r("제4조")}</w:fldSimple>' + r("에 따른다."))
    body += p('<w:r><w:fldChar w:fldCharType="begin"/></w:r>' + r("a field that never ends")) + p("next")
    tick = '<w:ffData><w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox></w:ffData>'
    entries = '<w:listEntry w:val="빨강"/><w:listEntry w:val="파랑"/>'
    choice = f'<w:ffData><w:ddList><w:result w:val="1"/>{entries}</w:ddList></w:ffData>'
    for form in (tick, choice):
        body += p(f'<w:r><w:fldChar w:fldCharType="begin">{form}</w:fldChar></w:r>' + r(" 동의"))
    assert blocks(tmp_path, word(body)) == [
        "표 3: yes", "제4조에 따른다.", "a field that never ends", "next", "☒ 동의", "파랑 동의",
    ]  # fmt: skip


def test_a_table_of_contents_is_lines_of_text(tmp_path):
    entry = p(f"<w:hyperlink>{r('1. Honey')}<w:r><w:tab/></w:r>{code('PAGEREF _1', r('7'))}</w:hyperlink>")
    assert blocks(tmp_path, word(f"<w:sdt><w:sdtPr/><w:sdtContent>{entry}</w:sdtContent></w:sdt>")) == ["1. Honey\t7"]


def test_signs_breaks_controls_and_ruby(tmp_path):
    body = p(
        "<w:r><w:sym w:font='Wingdings' w:char='F0FC'/><w:sym w:font='Symbol' w:char='F0B3'/></w:r>"
        + r("\uf061\uf0ae", '<w:rFonts w:ascii="Symbol"/>')
        + f"<w:r>{t('한')}<w:noBreakHyphen/>{t('글')}<w:softHyphen/><w:tab/>{t('x')}<w:br/>{t('y')}</w:r>"
    )
    raised = '<w:vertAlign w:val="superscript"/>'
    body += p(r("10") + r("-", raised) + r("6", raised) + r(" m") + r("2", raised) + r(" word") + r("3", raised))
    ruby = f"<w:ruby><w:rubyPr/><w:rt>{r('독음')}</w:rt><w:rubyBase>{r('讀音')}</w:rubyBase></w:ruby>"
    body += p(r("말: ") + f"<w:r>{ruby}</w:r>" + r("이다"))
    body += p(f"<w:sdt><w:sdtPr><w:alias w:val='no'/></w:sdtPr><w:sdtContent>{r('담당자 김')}</w:sdtContent></w:sdt>")
    assert blocks(tmp_path, word(body)) == ["✓≥α→한-글\tx\ny", "10^-6 m^2 word3", "말: 讀音(독음)이다", "담당자 김"]


def test_what_a_style_or_a_position_raises_is_an_exponent(tmp_path):
    styles = style("Up", '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>', "character")
    styles += style("UpToo", '<w:basedOn w:val="Up"/>', "character")
    body = p(r("10") + r("4", '<w:rStyle w:val="UpToo"/>') + r(" A, 10") + r("5", '<w:position w:val="8"/>'))
    body += p(
        r("10")
        + r("4", '<w:rStyle w:val="UpToo"/><w:vertAlign w:val="baseline"/>')
        + r("5", '<w:position w:val="-8"/>')
    )
    assert blocks(tmp_path, word(body, styles=styles)) == ["10^4 A, 10^5", "1045"]


def test_merged_cells_headers_and_tables_in_tables(tmp_path):
    merge = '<w:vMerge w:val="restart"/>'
    inner = table(row(cell("안"), cell("쪽")))
    body = table(
        row(cell("구분", merge), cell("매출", '<w:gridSpan w:val="2"/>'), properties="<w:tblHeader/>"),
        row(cell("", "<w:vMerge/>"), cell("상|하"), cell("하"), properties="<w:tblHeader/>"),
        row(cell("본점", '<w:gridSpan w:val="2"/>'), cell(inner + p(""))),
        row(cell("z"), properties='<w:gridBefore w:val="2"/>'),
    )
    assert blocks(tmp_path, word(body)) == [
        "| 구분 | 매출 | 매출 |\n| --- | --- | --- |\n| 구분 | 상\\|하 | 하 |\n| 본점 |  | 안 쪽 |\n|  |  | z |"
    ]


def choice(first: str, second: str) -> str:
    return (
        f"<mc:AlternateContent><mc:Choice>{first}</mc:Choice><mc:Fallback>{second}</mc:Fallback></mc:AlternateContent>"
    )


def test_a_text_box_follows_its_paragraph_once(tmp_path):
    boxed = f"<w:txbxContent>{p('상자 글')}{table(row(cell('a'), cell('b')))}</w:txbxContent>"
    shape = choice(
        f"<w:drawing><wps:txbx>{boxed}</wps:txbx></w:drawing>", f"<w:pict><v:textbox>{boxed}</v:textbox></w:pict>"
    )
    body = p(r("앞과 ") + f"<w:r>{shape}</w:r>" + r("뒤")) + p("다음")
    body += p(f"<w:r><w:rPr><w:vanish/></w:rPr>{shape}</w:r>" + r("끝"))
    parsed = read(tmp_path, word(body))
    assert parsed.text.split("\n\n") == ["앞과 뒤", "상자 글", "| a | b |\n| --- | --- |", "다음", "끝"]
    assert codes(parsed) == ["hidden_part_skipped"]


SERIES = (
    "<c:ser><c:tx><c:strRef><c:strCache><c:pt idx='0'><c:v>{}</c:v></c:pt></c:strCache></c:strRef></c:tx>"
    "<c:cat><c:strRef><c:strCache><c:pt idx='0'><c:v>봄</c:v></c:pt><c:pt idx='1'><c:v>가을</c:v></c:pt></c:strCache>"
    "</c:strRef></c:cat>"
    "<c:val><c:numRef><c:numCache><c:pt idx='0'><c:v>{}</c:v></c:pt><c:pt idx='1'><c:v>{}</c:v></c:pt></c:numCache>"
    "</c:numRef></c:val></c:ser>"
)
CHART = (
    "<c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>꿀 </a:t></a:r><a:r><a:t>수확</a:t></a:r></a:p></c:rich></c:tx>"
    f"</c:title><c:plotArea><c:barChart>{SERIES.format('양봉', 12, 9)}{SERIES.format('한봉', 3, 4)}</c:barChart>"
    "</c:plotArea></c:chart>"
)
DIAGRAM = (
    "<dgm:ptLst><dgm:pt modelId='0' type='doc'/><dgm:pt modelId='2'><dgm:t><a:p><a:r><a:t>둘째</a:t></a:r></a:p>"
    "</dgm:t></dgm:pt>"
    "<dgm:pt modelId='1'><dgm:t><a:p><a:r><a:t>첫째</a:t></a:r></a:p></dgm:t></dgm:pt>"
    "<dgm:pt modelId='9' type='pres'><dgm:t><a:p><a:r><a:t>첫째</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:ptLst>"
    "<dgm:cxnLst><dgm:cxn srcId='0' destId='2' srcOrd='1'/><dgm:cxn srcId='0' destId='1' srcOrd='0'/></dgm:cxnLst>"
)


def test_charts_and_diagrams_give_their_words_and_values(tmp_path):
    drawn = "<w:r><w:drawing><c:chart r:id='chart1'/></w:drawing></w:r>"
    body = p(r("그림 1") + drawn) + p(f"<w:r><w:drawing><dgm:relIds r:dm='diagramData1'/></w:drawing></w:r>{drawn}")
    parsed = read(tmp_path, word(body, chart1=CHART, diagramData1=DIAGRAM))
    assert parsed.text.split("\n\n") == [
        "그림 1", "꿀 수확",
        "|  | 양봉 | 한봉 |\n| --- | --- | --- |\n| 봄 | 12 | 3 |\n| 가을 | 9 | 4 |", "첫째", "둘째",
    ]  # fmt: skip
    assert parsed.warnings == []


def test_a_damaged_part_beside_the_body_is_told(tmp_path):
    drawn = "<w:r><w:drawing><c:chart r:id='chart1'/></w:drawing></w:r>"
    parsed = read(tmp_path, word(p(r("글") + drawn), chart1="<c:chart>", numbering="<w:num", footnotes="<"))
    assert parsed.text == "글"
    told = " ".join(notice.detail for notice in parsed.warnings)
    assert [name in told for name in ("word/chart1.xml", "word/footnotes.xml", "word/numbering.xml")] == [True] * 3


def section(*references: tuple[str, str, str], more: str = "") -> str:
    each = "".join(f'<w:{kind}Reference w:type="{place}" r:id="{key}"/>' for kind, place, key in references)
    return f"<w:sectPr>{each}{more}</w:sectPr>"


def test_headers_and_footers_stand_once(tmp_path):
    first = section(("header", "default", "header1"), ("footer", "default", "footer1"), ("header", "first", "header2"))
    last = section(("header", "default", "header3"), ("header", "even", "header2"))
    page = p(r("- ") + code("PAGE", r("7")) + r(" -")) + p(r("쪽 ") + code(" PAGE ", r("7")) + r("/9"))
    head = p("한빛 도서관", '<w:pStyle w:val="Heading1"/>')
    made = word(
        p("본문", first) + p("둘째") + last, header1=head, header2=p("not shown"), header3=p("한빛 도서관"),
        footer1=p("내선 5519") + page,
    )  # fmt: skip
    assert blocks(tmp_path, made) == ["[머리글: 한빛 도서관]", "본문", "둘째", "[바닥글: 내선 5519\n쪽 /9]"]
    shown = word(p("Text") + section(("header", "first", "header1"), more="<w:titlePg/>"), header1=p("Cover"))
    assert blocks(tmp_path, shown) == ["[Header: Cover]", "Text"]


BREAK = "<w:r><w:lastRenderedPageBreak/></w:r>"


def test_pages_are_those_of_the_last_layout(tmp_path):
    body = p("하나") + p(BREAK + r("둘의 첫 줄")) + p(r("둘에서 ") + BREAK + r("셋으로")) + p("셋")
    body += table(row(cell("머리"), cell("값")), row(cell("a"), cell("1")), row(cell(p(BREAK + r("b"))), cell("2")))
    body += p("넷")
    parsed = read(tmp_path, word(body))
    assert [(page.number, page.text) for page in parsed.pages] == [
        (1, "하나"), (2, "둘의 첫 줄\n\n둘에서 셋으로"), (3, "셋\n\n| 머리 | 값 |\n| --- | --- |\n| a | 1 |"),
        (4, "| 머리 | 값 |\n| --- | --- |\n| b | 2 |\n\n넷"),
    ]  # fmt: skip


@pytest.mark.parametrize(("pages", "numbers"), [(2, [1, 2]), (3, [None])])
def test_pages_of_an_older_layout_are_not_counted(tmp_path, pages, numbers):
    made = word(p("a") + p(BREAK + r("b")), **{"docProps/app.xml": f"<Properties><Pages>{pages}</Pages></Properties>"})
    assert [page.number for page in read(tmp_path, made).pages] == numbers


OWN = '<w:r><w:br w:type="page"/></w:r>'


@pytest.mark.parametrize(("told", "numbers"), [(3, [1, 2, 3]), (0, [None]), (1, [None])])
def test_an_authors_breaks_count_if_there_are_as_many_pages(tmp_path, told, numbers):
    made = word(
        p("a") + p(OWN + r("b")) + p(OWN) + p("c"),
        **{"docProps/app.xml": f"<Properties><Pages>{told}</Pages></Properties>"},
    )
    assert [page.number for page in read(tmp_path, made).pages] == numbers


def test_a_paragraph_begins_a_page_by_itself_or_by_its_style(tmp_path):
    styles = style("C", "<w:pPr><w:pageBreakBefore/></w:pPr>") + style("D", "<w:basedOn w:val='C'/>")
    chapter = "<w:pStyle w:val='D'/>"
    made = word(
        p("1장", chapter) + p("a") + p("2장", chapter) + p("b", f"{chapter}<w:pageBreakBefore w:val='0'/>")
        + p("c", "<w:pageBreakBefore/>"),
        styles=styles,
        **{"docProps/app.xml": "<Properties><Pages>3</Pages></Properties>"},
    )  # fmt: skip
    assert [(page.number, page.text) for page in read(tmp_path, made).pages] == [
        (1, "1장\n\na"), (2, "2장\n\nb"), (3, "c")
    ]  # fmt: skip


def test_an_authors_break_is_not_counted_beside_the_last_layout(tmp_path):
    assert [page.number for page in read(tmp_path, word(p("a") + p(OWN) + p(BREAK + r("b")))).pages] == [1, 2]


def test_pictures_objects_and_macros_are_told(tmp_path):
    picture = "<w:r><w:drawing><wp:docPr descr='{}'/><a:blip/></w:drawing></w:r>"
    body = p(r("그림") + picture.format("지도: 정문은 서쪽") + picture.format("C:\\a.png"))
    body += p("<w:r><w:object><v:imagedata/><o:OLEObject ProgID='Excel.Sheet.12'/></w:object></w:r>") + "<w:altChunk/>"
    parsed = read(tmp_path, word(body, **{"word/vbaProject.bin": b"x"}))
    assert parsed.text == "그림\n\n[그림: 지도: 정문은 서쪽]"
    assert codes(parsed) == ["picture_without_text", "embedded_object_skipped", "macro_skipped"]
    assert "1 picture " in parsed.warnings[0].detail
    assert "2 embedded objects" in parsed.warnings[1].detail


def test_any_prefix_and_name_of_the_main_part_is_read(tmp_path):
    other = part("w:document", f"<w:body>{p('번호', item(1))}</w:body>").replace("w:", "ns0:")
    made = word(p("not this"), numbering=lists(level(0, "decimal", "%1.")), **{"word/document.xml": other})
    assert blocks(tmp_path, made) == ["1. 번호"]
