"""What LibreOffice prints for the tables' bench says what the source says."""

from __future__ import annotations

import pytest

from bench.tables import printing
from bench.tables.grid import cells, from_markdown
from bench.tables.made import LAYOUTS, made
from ingest.loading.formats import DOCX, HTML, Text
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", ["docx", "html"])
def test_a_file_that_libreoffice_prints_has_the_cells_of_its_source(tmp_path, monkeypatch, layout, suffix):
    monkeypatch.setattr(printing.subprocess, "run", lambda command, **options: None)
    documents = [each for each in made(range(1)) if each.name.startswith(layout)]
    printed = printing.printable(documents, f"libreoffice-{suffix}")
    printing.print_with_libreoffice(printed, tmp_path, f"libreoffice-{suffix}")
    assert bool(printed) == (layout not in printing.LEFT_OUT)
    for document in printed:
        path = tmp_path / f"{document.name}.{suffix}"
        found = DOCX if suffix == "docx" else Text(HTML, path.read_text())
        tables, _ = from_markdown(parse(path, found, Options()).text)
        assert cells(document.tables, tables).f1 == 1
