"""The reference says what the code says, in both languages."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from app.api.problems import CODES
from app.errors import DOCUMENT_ERRORS, DocumentErrorCode
from app.main import create_app
from app.settings import Settings
from docs.tools import reference
from tests.conftest import ROOT

FOLDERS = ("docs/reference", "docs/ko/reference")
each_folder = pytest.mark.parametrize("folder", FOLDERS)


def first_cells(page: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", (ROOT / page).read_text(), re.MULTILINE)


def test_the_committed_pages_are_what_the_code_says():
    written, _ = reference.pages()
    committed = {path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).iterdir()}
    assert committed == set(written)
    stale = [str(path) for path, text in written.items() if (ROOT / path).read_text() != text]
    assert stale == [], "run: .venv/bin/python -m docs.tools.reference"


def test_the_catalogue_has_each_sentence_in_korean_and_no_other():
    _, korean = reference.pages()
    assert (korean.missing, korean.unused) == ([], []), "change docs/tools/korean.toml"
    assert len(korean.asked) > 200


def test_a_changed_sentence_is_a_missing_one():
    korean = reference.Catalogue({"The port.": "포트.", "The address.": ""})
    assert korean("The port.") == "포트."
    assert korean.missing == []
    for sentence in ("The port that it listens on.", "The address."):
        korean(sentence)
    assert korean.missing == ["The address.", "The port that it listens on."]
    assert reference.Catalogue({"The port.": "포트."}).unused == ["The port."]


@each_folder
def test_every_setting_has_a_description_and_its_default(folder):
    page = (ROOT / folder / "settings.md").read_text()
    rows = {
        name: (default, text) for name, default, text in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", page, re.M)
    }
    assert len(rows) == len(Settings.model_fields)
    assert all(text for _, text in rows.values())
    assert rows["KYUJANG_PORT"][0] == "`8000`"
    assert rows["KYUJANG_HOME"][0] == "–"
    assert "/var/lib/kyujang" in rows["KYUJANG_HOME"][1]
    assert rows["DATABASE_URL"][0] == "–"


@each_folder
def test_every_route_is_there_with_the_scope_of_its_key(folder):
    paths = create_app(Settings(engine="none")).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert set(first_cells(f"{folder}/routes.md")) == routes
    rows = dict(re.findall(r"^\| `([^`]+)` \| .* \| (.+) \|$", (ROOT / folder / "routes.md").read_text(), re.MULTILINE))
    assert rows["POST /query"] == "`query`"
    assert rows["POST /adapters/rollback"] == "`adapters`"
    assert rows["DELETE /jobs/{id}"] == "`ingest`, `adapters`"
    assert rows["GET /documents"] == "`read`"
    assert rows["POST /adapters/{name}/evaluate"] == "`query` + `adapters`"
    assert rows["GET /prompts"] in ("any scope", "아무 스코프")
    assert rows["POST /tenants"] in ("operator", "운영자")
    assert rows["GET /healthz"] == "–"


@each_folder
def test_every_command_is_there(folder):
    cells = first_cells(f"{folder}/commands.md")
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert [cell.removeprefix("make ") for cell in cells if cell.startswith("make ")] == phony[1].split()
    for command in ("app serve", "app tenant add", "app adapter rollback", "ingest add", "ingest worker"):
        assert f"python -m {command}" in cells
    assert {"--include GLOB", "PATH…", "--delete", "--engine {worker,ray}", "--target-modules VALUE"} <= set(cells)


@each_folder
def test_every_error_is_there(folder):
    page = (ROOT / folder / "errors.md").read_text()
    statuses = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", page, re.MULTILINE))
    assert {code: statuses[code] for code in CODES.values()} == {code: str(status) for status, code in CODES.items()}
    assert statuses["engine_unavailable"] == statuses["not_ready"] == "503"
    assert "not_configured" not in statuses
    assert set(get_args(DocumentErrorCode)) == set(DOCUMENT_ERRORS) <= set(first_cells(f"{folder}/errors.md"))


def test_both_languages_have_the_same_rows():
    for name in reference.PAGES:
        english, korean = (first_cells(f"{folder}/{name}.md") for folder in FOLDERS)
        assert english == korean


def test_a_cell_holds_no_tag_and_no_emphasis():
    assert reference.escaped("'*.pdf' kyu_<id> `*.<id>` *") == r"'\*.pdf' kyu_&lt;id> `*.<id>` \*"
