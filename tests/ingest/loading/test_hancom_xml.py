"""HWPX and HWPML alone: charts, declarations, what lies deep."""

from __future__ import annotations

import pytest

from app.errors import DocumentError
from ingest.loading.formats import HWPX, detect
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse
from tests.ingest.made import KOREAN
from tests.ingest.made.hancom import hwpx


def test_a_chart_in_hwpx_is_a_table(tmp_path):
    def point(numbered: tuple[int, str]) -> str:
        return '<c:pt idx="{}"><c:v>{}</c:v></c:pt>'.format(*numbered)

    names = 'xmlns:c="c" xmlns:a="a"'
    points = "".join(
        f"<c:{kind}><c:{cache}>{''.join(map(point, enumerate(values)))}</c:{cache}></c:{kind}>"
        for kind, cache, values in [("cat", "strCache", ["봄", "가을"]), ("val", "numCache", ["41", "57"])]
    )
    name = "<c:tx><c:v>꿀</c:v></c:tx>"
    chart = f"<c:chart><c:plotArea><c:barChart><c:ser>{name}{points}</c:ser></c:barChart></c:plotArea></c:chart>"
    inner = '<hp:case><hp:chart chartIDRef="Chart/chart1.xml"/></hp:case><hp:default><hp:ole/></hp:default>'
    section = f'<hs:sec xmlns:hs="s" xmlns:hp="p"><hp:p><hp:run><hp:switch>{inner}</hp:switch></hp:run></hp:p></hs:sec>'
    whole = hwpx(
        KOREAN,
        **{"Contents/section0.xml": section.encode(), "Chart/chart1.xml": f"<c:c {names}>{chart}</c:c>".encode()},
    )
    (tmp_path / "a").write_bytes(whole)
    parsed = parse(tmp_path / "a", HWPX, Options())
    assert "| 봄 | 41 |\n| 가을 | 57 |" in parsed.text
    assert parsed.warnings == []


@pytest.mark.parametrize(
    ("declared", "text"),
    [("<!DOCTYPE HWPML>", "글"), ('<!DOCTYPE HWPML [<!ENTITY a "ha">]>', None)],
)
def test_hwpml_declares_no_entities(tmp_path, declared, text):
    document = "<HWPML><HEAD/><BODY><SECTION><P><TEXT><CHAR>글</CHAR></TEXT></P></SECTION></BODY></HWPML>"
    (tmp_path / "a").write_text(f'<?xml version="1.0"?>{declared}{document}')
    found = detect(tmp_path / "a", "a.hwp", "")
    if text:
        assert parse(tmp_path / "a", found, Options()).text == text
    else:
        with pytest.raises(DocumentError):
            parse(tmp_path / "a", found, Options())


def nested(depth: int, start: str, end: str) -> str:
    return start * depth + "<hp:p><hp:run><hp:t>속</hp:t></hp:run></hp:p>" + end * depth


@pytest.mark.parametrize("depth", [100, 3000])
@pytest.mark.parametrize("tag", ["<hp:tbl><hp:tr><hp:tc><hp:subList>", "<hp:rect><hp:drawText><hp:subList>", "<hp:p>"])
def test_what_lies_deep_is_read_or_refused(tmp_path, tag, depth):
    end = "".join(f"</{name}>" for name in reversed(tag.strip("<>").split("><")))
    section = f'<hs:sec xmlns:hs="s" xmlns:hp="p">{nested(depth, tag, end)}</hs:sec>'
    (tmp_path / "a").write_bytes(hwpx(KOREAN, **{"Contents/section0.xml": section.encode()}))
    try:
        text = parse(tmp_path / "a", HWPX, Options()).text
    except DocumentError as error:
        text = error.document_code
    assert "속" in text or text == "corrupt"
