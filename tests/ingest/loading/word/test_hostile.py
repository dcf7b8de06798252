"""Word documents made to do harm: bounded work and text, whatever refers to what."""

from __future__ import annotations

import time

import pytest

from app.errors import DocumentError
from tests.ingest.loading.word.reading import read
from tests.ingest.made.word import cell, item, level, lists, p, r, row, style, table, word


@pytest.mark.parametrize("name", ["w:sdt", "w:ins", "w:smartTag", "m:f", "w:del", "mc:AlternateContent"])
def test_elements_of_any_depth_are_read(tmp_path, name):
    opened, closed = f"<{name}>" * 20_000, f"</{name}>" * 20_000
    body = p(f"<m:oMath>{opened}<m:r><m:t>x</m:t></m:r>{closed}</m:oMath>") + p(f"{opened}{r('in')}{closed}") + p("out")
    assert read(tmp_path, word(body)).text.endswith("out")


def test_tables_in_tables_end_in_text_or_an_error(tmp_path):
    def nested(depth: int) -> bytes:
        return word("<w:tbl><w:tr><w:tc>" * depth + p("deep") + "</w:tc></w:tr></w:tbl>" * depth)

    assert read(tmp_path, nested(50)).text == "deep"
    with pytest.raises(DocumentError, match="damaged"):
        read(tmp_path, nested(5000))


def test_text_boxes_and_notes_in_each_other_end(tmp_path):
    body = "<w:p><w:r><w:txbxContent>" * 3000 + p("deep") + "</w:txbxContent></w:r></w:p>" * 3000
    assert read(tmp_path, word(body)).text == "deep"
    circle = f'<w:footnote w:id="1">{p(r("note") + reference(1))}</w:footnote>'
    assert read(tmp_path, word(p(r("a") + reference(1) * 1000), footnotes=circle)).text.count("note") == 1


def reference(number: int) -> str:
    return f'<w:r><w:footnoteReference w:id="{number}"/></w:r>'


def test_no_little_part_makes_much_text(tmp_path):
    long = "x" * 100_000
    numbering = lists(level(0, "decimal", f"{long}%1"))
    drawn = "<w:r><w:drawing><c:chart r:id='chart1'/></w:drawing></w:r>"
    chart = f"<c:chart><c:title><a:t>{long}</a:t></c:title></c:chart>"
    tall = row(cell(long, '<w:vMerge w:val="restart"/>'), cell("b"))
    tall += row(cell("", "<w:vMerge/>"), cell("c")) * 2000
    wide = row(cell("w", '<w:gridSpan w:val="999999999"/>'), cell("v"))
    body = p("a", item(1)) * 2000 + p(drawn) * 2000 + table(tall, wide)
    made = word(body, numbering=numbering, chart1=chart, header1=p(long))
    assert len(read(tmp_path, made).text) < 1_000_000


def test_the_time_grows_with_the_file(tmp_path):
    def seconds(count: int) -> float:
        chain = "".join(style(f"S{n}", f'<w:basedOn w:val="S{n + 1}"/>') for n in range(count))
        body = "".join(p(f"x{n}", f'<w:pStyle w:val="S{n}"/>') + p(r("f") + reference(n)) for n in range(count))
        notes = "".join(f'<w:footnote w:id="{n}">{p("n")}</w:footnote>' for n in range(count))
        began = time.thread_time()
        read(tmp_path, word(body, styles=chain, footnotes=notes))
        return time.thread_time() - began

    assert seconds(4000) < 12 * max(seconds(1000), 0.05)
