"""Notebooks, XML of any kind, and e-books: their text alone, whatever they hold."""

from __future__ import annotations

import json

import pytest

from ingest.loading import formats
from tests.ingest.loading.reading import refusal, take
from tests.ingest.made import KOREAN
from tests.ingest.made.content import zipped
from tests.ingest.made.office import epub

PNG = "iVBORw0KGgo" * 500
CELLS = [
    {"cell_type": "markdown", "source": ["# 기온 분석\n", "We read the table.<!-- memo -->"]},
    {
        "cell_type": "code",
        "source": "# load\nprint(2**10)",
        "outputs": [
            {"output_type": "stream", "text": ["1024\n", "끝"]},
            {"output_type": "display_data", "data": {"image/png": PNG, "text/plain": "<Figure size 640x480>"}},
            {"output_type": "execute_result", "data": {"text/html": "<table><tr><th>월<th>도<tr><td>1<td>-3</table>"}},
            {"output_type": "error", "traceback": ["\x1b[0;31mValueError\x1b[0m: bad"]},
        ],
    },
    {"cell_type": "raw", "source": "raw 글"},
]


async def read(tmp_path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    return await take(tmp_path / name)


async def test_a_notebook_gives_its_cells_and_their_output(tmp_path):
    notebook = {"nbformat": 4, "metadata": {"language_info": {"name": "python"}}, "cells": CELLS}
    loaded = await read(tmp_path, "a.ipynb", json.dumps(notebook).encode())
    assert (loaded.media_type, loaded.title) == (formats.NOTEBOOK, "기온 분석")
    assert loaded.text == (
        "# 기온 분석\nWe read the table.\n\n```python\n# load\nprint(2**10)\n```\n\n```\n1024\n끝\n```\n\n"
        "```\n<Figure size 640x480>\n```\n\n| 월 | 도 |\n| --- | --- |\n| 1 | -3 |\n\n"
        "```\nValueError: bad\n```\n\nraw 글"
    )
    assert [each.code for each in loaded.warnings] == ["picture_without_text"]


@pytest.mark.parametrize(
    "cells",
    [1, "text", [1, None, {}], [{"cell_type": "heading", "level": "x", "source": {}}],
     [{"cell_type": "code", "source": 3, "outputs": [1, {"data": []}, {"data": {"text/plain": [1]}}]}]],
)  # fmt: skip
async def test_a_notebook_of_other_things_than_text_is_empty(tmp_path, cells):
    (tmp_path / "a").write_text(json.dumps({"nbformat": 4, "cells": cells}))
    assert (await refusal(tmp_path / "a")).document_code in ("empty", "corrupt")


async def test_xml_gives_its_text(tmp_path):
    content = (
        "<?xml version='1.0' encoding='euc-kr'?><!DOCTYPE r [<!ENTITY a 'x'>]><!-- no --><r><title>이용 안내</title>"
        "<name>Kim</name><age>12</age><p>The <b>pool</b> opens &amp; closes.</p>\n"
        "  <code><![CDATA[a < b && c]]></code></r>"
    )
    loaded = await read(tmp_path, "a.xml", content.encode("cp949"))
    assert (loaded.media_type, loaded.title) == (formats.XML, "이용 안내")
    assert loaded.text == "이용 안내\nKim\n12\nThe pool opens & closes.\na < b && c"


@pytest.mark.parametrize("declared", ["", "<?xml version='1.0' encoding='utf-8'?>\n"], ids=["by name", "declared"])
async def test_elements_are_named_in_any_script(tmp_path, declared):
    content = (
        "<법령><h:title xmlns:h='u'>저수지 <b>관리</b> 규정</h:title>"
        "<조문 번호='1'><내용><![CDATA[제1조 <목적> 2 < 3]]></내용><비고/></조문>\n"
        "<script>문을 연다</script><style>굵은 글</style><title>다른 제목</title></법령>"
    )
    loaded = await read(tmp_path, "a.xml", f"{declared}{content}".encode())
    assert (loaded.media_type, loaded.title) == (formats.XML, "저수지 관리 규정")
    assert loaded.text == "저수지 관리 규정\n제1조 <목적> 2 < 3\n문을 연다\n굵은 글\n다른 제목"


@pytest.mark.parametrize(
    "content",
    [
        "<a>" * 50_000 + "깊은 글",
        "<![CDATA[" * 20_000 + "]]>글",
        "<!DOCTYPE " * 20_000 + "<a>글",
        "<a b='" * 20_000 + "'>글",
    ],
)
async def test_odd_xml_costs_little_and_keeps_its_text(tmp_path, content):
    assert "글" in (await read(tmp_path, "a.xml", f"<?xml version='1.0'?>{content}".encode())).text


async def test_entities_are_not_expanded(tmp_path):
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">{entities}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    loaded = await read(tmp_path, "a.xml", f"{bomb}<a>글 &a9; &f;</a>".encode())
    assert loaded.text == "글 &a9; &f;"


async def test_a_book_keeps_literal_text_and_tells_of_what_it_lacks(tmp_path):
    chapter = "<html><body><p>[별표 1](제2조/제3조) 2**10</p><p hidden='hidden'>x</p></body></html>".encode()
    loaded = await read(tmp_path, "a.epub", epub(KOREAN, **{"OEBPS/a.xhtml": chapter}))
    assert loaded.text.startswith(f"[별표 1](제2조/제3조) 2**10\n\n{KOREAN.second}")
    assert [each.code for each in loaded.warnings] == ["hidden_part_skipped"]


async def test_a_protected_book_says_so(tmp_path):
    rights = b"<encryption><EncryptedData><EncryptionMethod Algorithm='aes'/></EncryptedData></encryption>"
    (tmp_path / "a").write_bytes(epub(KOREAN, **{"META-INF/encryption.xml": rights}))
    assert (await refusal(tmp_path / "a")).document_code == "encrypted"
    (tmp_path / "b").write_bytes(zipped({"META-INF/container.xml": "<container/>"}))
    assert (await refusal(tmp_path / "b")).document_code == "corrupt"
