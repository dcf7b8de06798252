"""Tables and records that are text: nothing is changed, whatever parts the values."""

from __future__ import annotations

import pytest

from ingest.loading.formats import CSV, Text, detect
from tests.ingest.loading.parsing import parsed

ROWS = ['이름,비고\n김가람,"둘째\n줄, 2**10"\n', 'name\tnote\nKim\t"a | b"\tC:\\new\n', "a;b\n1,5;2\n"]


@pytest.mark.parametrize("text", ROWS)
@pytest.mark.parametrize("name", ["a.csv", "A.TSV", "a.tab"])
def test_rows_stand_as_they_are_written(tmp_path, text, name):
    assert parsed(tmp_path, text.encode(), name.lower()).text == text
    (tmp_path / "b").write_text(text)
    for filename, media_type in ((name.lower(), ""), ("b", "text/csv"), ("b", "text/tab-separated-values")):
        found = detect(tmp_path / "b", filename, media_type)
        assert isinstance(found, Text)
        assert found.media_type == CSV


@pytest.mark.parametrize("charset", ["utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_that_names_the_delimiter_is_no_row(tmp_path, charset, end):
    text = f"sep=;{end}이름;나이{end}김가람;12{end}"
    assert parsed(tmp_path, text.encode(charset), "a.csv").text == "이름;나이\n김가람;12\n"
    assert parsed(tmp_path, b"sep=a;b\n1;2\n", "a.csv").text == "sep=a;b\n1;2\n"


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_numbers_of_json_stand_as_they_are_written(tmp_path, name):
    record = b'{"price": 1.50, "size": 1e3, "number": 12345678901234567890, "of": [0.10, 2]}'
    text = parsed(tmp_path, record if name == "a.json" else record + b"\n" + record, name).text
    assert text.split("\n\n")[0] == "price: 1.50\nsize: 1e3\nnumber: 12345678901234567890\nof: 0.10, 2"
