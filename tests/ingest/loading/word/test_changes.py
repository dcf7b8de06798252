"""Tracked changes, hidden text, notes and comments."""

from __future__ import annotations

from ingest.loading.parsed import Options
from tests.ingest.loading.word.reading import blocks, codes, read
from tests.ingest.made.word import cell, p, r, row, style, t, table, word

VANISH = "<w:vanish/>"


def test_what_was_moved_stands_once_and_what_was_deleted_nowhere(tmp_path):
    body = p(
        r("The boat ")
        + f"<w:moveFrom>{r('leaves at six ')}</w:moveFrom><w:ins>{r('now ')}</w:ins>"
        + "<w:del><w:r><w:delText>never </w:delText><w:t>ever </w:t></w:r></w:del>"
        + r("lies in port and ")
        + f"<w:moveTo>{r('leaves at six ')}</w:moveTo>"
        + r("sharp.", "<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>")
    )
    assert blocks(tmp_path, word(body)) == ["The boat now lies in port and leaves at six sharp."]


def test_a_deleted_end_joins_paragraphs(tmp_path):
    deleted = '<w:pStyle w:val="Heading1"/><w:rPr><w:del/></w:rPr>'
    body = p("위약금은 ", deleted) + p(f"<w:del>{r('지운 단락')}</w:del>", deleted) + p("물지 않는다.")
    body += table(row(cell(p("끝", deleted)), cell("b")))
    assert blocks(tmp_path, word(body)) == ["위약금은 물지 않는다.", "| 끝 | b |\n| --- | --- |"]


def test_a_drop_cap_is_the_first_letter_of_its_word(tmp_path):
    body = p("D", '<w:framePr w:dropCap="drop"/>') + p("rop of water.") + p("x", '<w:framePr w:w="1"/>') + p("y")
    assert blocks(tmp_path, word(body)) == ["Drop of water.", "x", "y"]


def test_deleted_rows_and_cells_are_left_out(tmp_path):
    body = table(
        row(cell("a"), cell("b")), row(cell("gone"), cell("too"), properties="<w:del/>"),
        row(cell("old", "<w:cellDel/>"), cell("c"), cell("d")),
    )  # fmt: skip
    assert blocks(tmp_path, word(body)) == ["| a | b |\n| --- | --- |\n| c | d |"]


def test_hidden_text_is_left_out_and_told(tmp_path):
    styles = style("Secret", f"<w:rPr>{VANISH}</w:rPr>", "character") + style("Off", f"<w:rPr>{VANISH}</w:rPr>")
    styles += style("OffToo", '<w:basedOn w:val="Off"/>')
    body = p(
        r("The gate opens at ") + r("SECRET1", VANISH) + r("SECRET2", '<w:rStyle w:val="Secret"/>')
        + r("nine.", '<w:rStyle w:val="Secret"/><w:vanish w:val="0"/>')
    )  # fmt: skip
    body += p(r("SECRET3") + r("seen", '<w:vanish w:val="false"/>'), '<w:pStyle w:val="OffToo"/>')
    body += table(row(cell("a"), cell("b")), row(cell("SECRET4"), cell("SECRET5"), properties="<w:hidden/>"))
    parsed = read(tmp_path, word(body, styles=styles))
    assert parsed.text == "The gate opens at nine.\n\nseen\n\n| a | b |\n| --- | --- |"
    assert codes(parsed) == ["hidden_part_skipped"]


def test_defaults_and_styles_of_tables_hide_text(tmp_path):
    defaults = f"<w:docDefaults><w:rPrDefault><w:rPr>{VANISH}</w:rPr></w:rPrDefault></w:docDefaults>"
    shown = style("Shown", '<w:rPr><w:vanish w:val="0"/></w:rPr>', "character")
    body = p("SECRET1") + p(r("open ", '<w:rStyle w:val="Shown"/>') + r("door", '<w:vanish w:val="0"/>'))
    assert blocks(tmp_path, word(body, styles=defaults + shown)) == ["open door"]
    first_row = f'<w:tblStylePr w:type="firstRow"><w:rPr>{VANISH}</w:rPr></w:tblStylePr>'
    styles = style("Off", f"<w:rPr>{VANISH}</w:rPr>", "table") + style("OffToo", '<w:basedOn w:val="Off"/>', "table")
    styles += style("Bold", first_row, "table")
    body = p("앞") + "".join(
        f'<w:tbl><w:tblPr><w:tblStyle w:val="{name}"/></w:tblPr>{row(cell(text), cell("나"))}</w:tbl>'
        for name, text in (("OffToo", "감춘 표"), ("Bold", "보이는 표"))
    )
    parsed = read(tmp_path, word(body + p("뒤"), styles=styles))
    assert parsed.text == "앞\n\n| 보이는 표 | 나 |\n| --- | --- |\n\n뒤"
    assert codes(parsed) == ["hidden_part_skipped"]


def test_hidden_text_is_marked_if_asked_for(tmp_path):
    body = p(r("문은 ") + r("비밀 ", VANISH) + r("번호 7", VANISH) + r(" 아홉 시에 열린다."))
    parsed = read(tmp_path, word(body), Options(hidden_parts="mark"))
    assert parsed.text == "문은 [숨김: 비밀 번호 7] 아홉 시에 열린다."
    assert codes(parsed) == []


def note(kind: str, number: int, content: str, more: str = "") -> str:
    return f'<w:{kind} w:id="{number}" {more}>{content}</w:{kind}>'


def reference(kind: str, number: int, more: str = "") -> str:
    return f'<w:r><w:{kind}Reference w:id="{number}" {more}/></w:r>'


def test_notes_follow_what_refers_to_them_once(tmp_path):
    notes = note("footnote", 0, p("----"), 'w:type="separator"') + note("footnote", 1, p("첫째.") + p("더."))
    notes += note("footnote", 2, p("둘째.")) + note("footnote", 3, p("Starred.")) + note("footnote", 4, p("unused"))
    body = p(r("관람료") + reference("footnote", 1) + r("는 천 원이다.") + reference("footnote", 1))
    body += table(row(cell(p(r("값") + reference("footnote", 2))), cell("1")), row(cell("둘"), cell("2")))
    body += p(r("끝") + f'<w:r><w:footnoteReference w:customMarkFollows="1" w:id="3"/>{t("*")}</w:r>')
    body += p(r("뒤") + reference("endnote", 1))
    made = word(body, footnotes=notes, endnotes=note("endnote", 1, p("미주.")))
    assert blocks(tmp_path, made) == [
        "관람료[1]는 천 원이다.[1]", "[1: 첫째. 더.]", "| 값[2] | 1 |\n| --- | --- |\n| 둘 | 2 |", "[2: 둘째.]",
        "끝[*]", "[*: Starred.]", "뒤[i]", "[i: 미주.]",
    ]  # fmt: skip


def test_a_table_in_a_note_stays_one(tmp_path):
    fees = table(row(cell("나이"), cell("값")), row(cell("7"), cell("9")))
    notes = note("footnote", 1, p("표를 보라.") + fees + p("끝.")) + note("footnote", 2, fees)
    made = word(p(r("글") + reference("footnote", 1) + reference("footnote", 2)), footnotes=notes)
    assert blocks(tmp_path, made) == [
        "글[1][2]", "[1: 표를 보라.]", "| 나이 | 값 |\n| --- | --- |\n| 7 | 9 |", "[1: 끝.]", "[2: 나이 값 7 9]",
    ]  # fmt: skip


def test_comments_follow_the_sentence_and_are_marked(tmp_path):
    comments = note("comment", 5, p("확인 바람")) + note("comment", 6, p("deleted"))
    gone = f"<w:del>{reference('comment', 6)}</w:del>"
    body = p(r("회의는 ") + reference("comment", 5) + gone + r("두 시에 연다."))
    assert blocks(tmp_path, word(body, comments=comments)) == ["회의는 두 시에 연다.", "[메모: 확인 바람]"]
    english = word(p(r("It is ") + reference("comment", 1) + r("so.")), comments=note("comment", 1, p("really?")))
    assert blocks(tmp_path, english) == ["It is so.", "[Comment: really?]"]
