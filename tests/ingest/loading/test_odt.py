"""OpenDocument texts: what stands in them once, numbered, and nothing that they hide."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import DocumentError
from ingest.loading.formats import ODT, detect
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from tests.ingest.made.content import DECLARATION
from tests.ingest.made.open_document import NAMES, cell, document, frame, row, sheet


def read(folder: Path, body: str, styles: str = "", options: Options | None = None, **more: str) -> Parsed:
    (folder / "a.odt").write_bytes(document("text", body, styles, **more))
    return parse(folder / "a.odt", ODT, options or Options())


def blocks(folder: Path, body: str, styles: str = "", **more: str) -> list[str]:
    return read(folder, body, styles, **more).text.split("\n\n")


def p(content: str, attributes: str = "") -> str:
    return f"<text:p {attributes}>{content}</text:p>"


def h(content: str, level: int, attributes: str = "") -> str:
    return f'<text:h text:outline-level="{level}" {attributes}>{content}</text:h>'


def items(*contents: str, attributes: str = "") -> str:
    each = "".join(f"<text:list-item>{content}</text:list-item>" for content in contents)
    return f"<text:list {attributes}>{each}</text:list>"


def level(number: int, kind: str, more: str = "") -> str:
    return f'<text:list-level-style-number text:level="{number}" style:num-format="{kind}" {more}/>'


ARTICLE = level(1, "1", 'style:num-prefix="제" style:num-suffix="조"')
SYLLABLE = level(3, "가, 나, 다, ...", 'style:num-suffix="."')
NESTED = level(1, "I") + level(2, "1", 'text:display-levels="2" style:num-suffix=")"')
LAW = (
    f'<text:list-style style:name="L">{ARTICLE}{level(2, "①, ②, ③, ...")}{SYLLABLE}</text:list-style>'
    '<text:list-style style:name="B"><text:list-level-style-bullet text:level="1" text:bullet-char="•"/>'
    '<text:list-level-style-bullet text:level="2" text:bullet-char="※"/></text:list-style>'
    f'<text:list-style style:name="D">{NESTED}</text:list-style>'
)


def test_lists_are_numbered(tmp_path):
    inner = items(p("용어") + p("이어서"), p("범위") + items(p("사람"), p("물건")))
    body = items(p("목적"), p("정의") + inner, attributes='text:style-name="L" xml:id="one"') + p("사이")
    body += items(p("시행"), attributes='text:style-name="L" text:continue-list="one"')
    body += items(p("new"), p("next"), attributes='text:style-name="L"')
    body += items(p("dot") + items(p("sign")), attributes='text:style-name="B"')
    body += items(p("a") + items(p("b"), p("c")), attributes='text:style-name="D"')
    assert blocks(tmp_path, body, LAW) == [
        "제1조 목적", "제2조 정의", "① 용어", "이어서", "② 범위", "가. 사람", "나. 물건", "사이", "제3조 시행",
        "제1조 new", "제2조 next", "- dot", "※ sign", "I a", "I.1) b", "I.2) c",
    ]  # fmt: skip


def test_headings_are_numbered_by_the_outline(tmp_path):
    levels = "".join(
        f'<text:outline-level-style text:level="{n}" style:num-format="1" text:display-levels="{n}"/>' for n in (1, 2)
    )
    outline = (
        f"{DECLARATION}<office:document-styles {NAMES}><office:styles><text:outline-style>{levels}</text:outline-style>"
        "</office:styles></office:document-styles>"
    )
    body = h("Honey", 1) + h("Bees", 2) + h("Wax", 2) + h("Trade", 1) + h("Fairs", 2) + h("Deep", 3)
    parsed = read(tmp_path, body, **{"styles.xml": outline})
    assert parsed.title == "1 Honey"
    assert parsed.text.split("\n\n") == [
        "# 1 Honey", "## 1.1 Bees", "## 1.2 Wax", "# 2 Trade", "## 2.1 Fairs", "### Deep",
    ]  # fmt: skip


def test_notes_and_comments_follow_what_refers_to_them(tmp_path):
    note = f"<text:note><text:note-citation>{{}}</text:note-citation><text:note-body>{p('{}')}</text:note-body>"
    note += "</text:note>"
    by = "<dc:creator xmlns:dc='d'>김</dc:creator><dc:date xmlns:dc='d'>2031</dc:date>"
    comment = f"<office:annotation>{by}{p('확인 바람')}</office:annotation>"
    body = p(f"관람료{note.format('1', '부가세 포함.')}는 {comment}천 원이다.")
    body += sheet("1", row(cell(inside=p(f"값{note.format('2', '둘째.')}")), cell("1")), row(cell("둘"), cell("2")))
    assert blocks(tmp_path, body) == [
        "관람료[1]는 천 원이다.", "[1: 부가세 포함.]", "[메모: 확인 바람]", "| 값[2] | 1 |\n| --- | --- |\n| 둘 | 2 |",
        "[2: 둘째.]",
    ]  # fmt: skip


HIDING = (
    '<style:style style:name="H" style:family="text"><style:text-properties text:display="none"/></style:style>'
    '<style:style style:name="P" style:family="paragraph"><style:text-properties text:display="none"/></style:style>'
    '<style:style style:name="Q" style:family="paragraph" style:parent-style-name="P"/>'
)


def test_hidden_and_deleted_text_is_left_out(tmp_path):
    region = f"<text:changed-region><text:deletion>{p('DELETED')}</text:deletion></text:changed-region>"
    deleted = f"<text:tracked-changes>{region}</text:tracked-changes>"
    body = deleted + p('The gate opens <text:span text:style-name="H">SECRET </text:span>at nine.')
    body += p("SECRET", 'text:style-name="Q"') + f'<text:section text:display="none">{p("SECRET")}</text:section>'
    body += sheet(
        "1", row(cell("a"), cell("b")), row(cell("SECRET"), cell("x"), attributes='table:visibility="collapse"')
    )
    parsed = read(tmp_path, body, HIDING)
    assert parsed.text == "The gate opens at nine.\n\n| a | b |\n| --- | --- |"
    assert [notice.code for notice in parsed.warnings] == ["hidden_part_skipped"]
    marked = read(tmp_path, p('문은 <text:span text:style-name="H">뒷문</text:span> 열린다.'), HIDING, Options("mark"))
    assert marked.text == "문은 [숨김: 뒷문] 열린다."


def test_spaces_merged_cells_fields_and_ruby(tmp_path):
    wide = cell("매출", 'table:number-columns-spanned="2"') + "<table:covered-table-cell/>"
    tall = cell("본점", 'table:number-rows-spanned="2"')
    body = p('a<text:s text:c="2"/>b<text:tab/>c<text:line-break/>d \n e<text:page-number>3</text:page-number>')
    body += p('<text:date text:date-value="2031-04-05">2031. 4. 5.</text:date> <text:creator>김가람</text:creator>')
    body += p("<text:ruby><text:ruby-base>讀音</text:ruby-base><text:ruby-text>독음</text:ruby-text></text:ruby>이다")
    body += sheet("1", f"<table:table-header-rows>{row(cell('구분'), wide)}</table:table-header-rows>",
                  row(tall, cell("7"), cell("8")), row("<table:covered-table-cell/>", cell("9"), cell()))  # fmt: skip
    assert blocks(tmp_path, body) == [
        "a  b\tc\nd e3", "2031. 4. 5. 김가람", "讀音(독음)이다",
        "| 구분 | 매출 | 매출 |\n| --- | --- | --- |\n| 본점 | 7 | 8 |\n| 본점 | 9 |  |",
    ]  # fmt: skip


MATH = (
    "<math><semantics><mrow><mfrac><mi>s</mi><msup><mi>t</mi><mn>2</mn></msup></mfrac><mo>=</mo><msqrt><mi>α</mi></msqrt>"
    "<mtext>속도</mtext></mrow><annotation>s over t^2</annotation></semantics></math>"
)


def test_equations_text_boxes_and_pictures(tmp_path):
    object_ = frame('<draw:object xlink:href="./Object 1"/><draw:image xlink:href="./ObjectReplacements/Object 1"/>')
    box = frame(f"<draw:text-box>{p('상자 글')}</draw:text-box>")
    picture = frame('<draw:image xlink:href="Pictures/a.png"/>{}')
    body = p(f"앞 {object_} 뒤{box}") + p(picture.format("<svg:desc>정문은 서쪽</svg:desc>") + picture.format(""))
    parsed = read(tmp_path, body, **{"Object 1/content.xml": MATH})
    assert parsed.text.split("\n\n") == [
        "앞 $\\frac{s}{t^2}=\\sqrt{α}\\text{속도}$ 뒤",
        "상자 글",
        "[그림: 정문은 서쪽]",
    ]
    assert [notice.code for notice in parsed.warnings] == ["picture_without_text"]


def test_an_equation_in_the_text_itself_is_read(tmp_path):
    inline = frame(f"<draw:object>{MATH}</draw:object>")
    assert blocks(tmp_path, p(f"앞 {inline} 뒤")) == ["앞 $\\frac{s}{t^2}=\\sqrt{α}\\text{속도}$ 뒤"]


def test_headers_stand_once_and_pages_are_those_of_the_layout(tmp_path):
    styles = (
        f"{DECLARATION}<office:document-styles {NAMES}><office:master-styles><style:master-page style:name='Standard'>"
        f"<style:header>{p('한빛 도서관')}</style:header>"
        f"<style:header-first style:display='false'>{p('no')}</style:header-first>"
        f"<style:footer>{p('내선 5519')}{p('<text:page-number>1</text:page-number>')}</style:footer>"
        "</style:master-page>"
        f"<style:master-page style:name='Unused'><style:header>{p('unused')}</style:header></style:master-page>"
        "</office:master-styles></office:document-styles>"
    )
    counted = "<office:meta><meta:document-statistic meta:page-count='2'/></office:meta>"
    meta = f"<office:document-meta {NAMES} xmlns:meta='m'>{counted}</office:document-meta>"
    body = p("하나<text:soft-page-break/> 이어서") + p("둘")
    parsed = read(tmp_path, body, **{"styles.xml": styles, "meta.xml": meta})
    assert [(page.number, page.text) for page in parsed.pages] == [
        (1, "[머리글: 한빛 도서관]\n\n하나 이어서"), (2, "둘\n\n[바닥글: 내선 5519]"),
    ]  # fmt: skip
    assert [page.number for page in read(tmp_path, body, **{"styles.xml": styles}).pages] == [None]


@pytest.mark.parametrize("name", ["text:span", "text:section", "text:list", "draw:text-box", "text:note"])
def test_elements_of_any_depth_end(tmp_path, name):
    body = p(f"{f'<{name}>' * 5000}{p('in')}{f'</{name}>' * 5000}") + p("out")
    assert read(tmp_path, body).text.endswith("out")


def test_a_locked_text_says_so(tmp_path):
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, p("x"), **{"META-INF/manifest.xml": "<m><encryption-data/></m>"})
    assert caught.value.document_code == "encrypted"


def test_a_package_whose_type_cannot_be_unpacked_is_damaged(tmp_path):
    package = bytearray(document("text", p("x")))
    # The type is said to be deflated, in both of the places where the package says how.
    package[8] = package[package.index(b"PK\x01\x02") + 10] = 8
    (tmp_path / "a.odt").write_bytes(package)
    with pytest.raises(DocumentError) as caught:
        detect(tmp_path / "a.odt", "a.odt", "")
    assert caught.value.document_code == "corrupt"
