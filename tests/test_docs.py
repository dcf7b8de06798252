"""The documentation says what the code does: settings, routes, commands, errors, defaults."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import get_args

import pytest

from app.__main__ import build_parser
from app.api.problems import CODES
from app.cli.bounded_connection import TOO_LARGE
from app.errors import DocumentErrorCode, KyujangError, NotConfigured
from app.main import create_app
from app.prompting.elements import ENGLISH, KOREAN
from app.settings import Settings
from app.storage.backup.errors import BackupFailed
from docs.tools.reference import environment_name
from tests.docs.pages import DOCS, ENGLISH_ONLY, EXECUTED, PAGES, PAIRS, WRITTEN, blocks, english_pages, executed, read
from tests.stack import ROOT
from tests.test_architecture import LAYERS

each_reference = pytest.mark.parametrize("reference", ["docs/reference", "docs/ko/reference"])
each_pair = pytest.mark.parametrize(("english", "korean"), PAIRS, ids=lambda path: str(path))
each_page = pytest.mark.parametrize("page", PAGES, ids=str)


def first_cells(text: str) -> list[str]:
    """What stands in backquotes in the first column of a table, with what stands in the second."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


@each_reference
def test_every_setting_is_in_the_table_with_its_default(reference):
    rows = dict(
        re.findall(
            r"^\| `((?:KYUJANG|DATABASE|ENGINE|OTEL)_\w+)` \| (.*?) \| .+ \|$",
            read(f"{reference}/settings.md"),
            re.MULTILINE,
        )
    )
    assert set(rows) == {environment_name(name) for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if field.default not in (None, "") and field.default_factory is None:
            assert f"`{field.default}`" in rows[environment_name(name)], name


@each_reference
def test_every_route_is_in_the_table(reference):
    paths = create_app(Settings(engine="none")).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    named = {
        cell for cell in first_cells(read(f"{reference}/routes.md")) if re.match(r"(GET|POST|PUT|DELETE|PATCH) /", cell)
    }
    assert named == routes


def commands_of(parser: argparse.ArgumentParser, words: str) -> Iterator[str]:
    choices = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not choices:
        yield words
    for name, inner in (choices[0] if choices else {}).items():
        yield from commands_of(inner, f"{words} {name}")


@each_reference
def test_every_command_is_in_the_table(reference):
    cells = first_cells(read(f"{reference}/commands.md"))
    in_help = re.findall(r"^    (\w+) ", _help("ingest").partition("COMMAND")[2].partition("options:")[0], re.MULTILINE)
    commands = [*commands_of(build_parser(), "python -m app"), *(f"python -m ingest {name}" for name in in_help)]
    assert len(in_help) >= 2
    assert [each for each in commands if not any(cell == each or cell.startswith(f"{each} ") for cell in cells)] == []
    for cell in cells:
        if cell.startswith("python -m"):
            assert any(cell == each or cell.startswith(f"{each} ") for each in commands), cell


def _help(module: str) -> str:
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@each_reference
def test_every_make_target_is_in_the_table(reference):
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    named = [
        cell.removeprefix("make ") for cell in first_cells(read(f"{reference}/commands.md")) if cell.startswith("make ")
    ]
    assert sorted(named) == sorted(phony[1].split())


def error_codes(error: type[KyujangError]) -> Iterator[str]:
    yield error.code
    for each in error.__subclasses__():
        yield from error_codes(each)


@each_reference
def test_every_error_code_is_in_the_table(reference):
    cells = set(first_cells(read(f"{reference}/errors.md")))
    codes = {*error_codes(KyujangError), *CODES.values(), "not_ready", TOO_LARGE[1]}
    codes -= {NotConfigured.code, BackupFailed.code}
    statuses = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", read(f"{reference}/errors.md"), re.MULTILINE))
    assert set(statuses) == codes
    assert set(get_args(DocumentErrorCode)) <= cells


@pytest.mark.parametrize(("page", "defaults"), [("docs", ENGLISH), ("docs/ko", KOREAN)])
def test_the_prompt_s_defaults_are_quoted(page, defaults):
    text = read(f"{page}/guides/prompts.md")
    assert f'"{defaults.instruction}"' in text
    assert f'"{defaults.output_indicator}"' in text


@each_pair
def test_both_languages_say_the_same(english, korean):
    for pattern in (r"^#+ ", r"^\| ", r"^- ", r"^```"):
        found = [re.findall(pattern, read(page), re.MULTILINE) for page in (english, korean)]
        assert found[0] == found[1], pattern
    assert executed(english) == executed(korean)
    assert blocks(read(english), "console") == blocks(read(korean), "console")
    assert first_cells(read(english)) == first_cells(read(korean))


def test_every_korean_page_is_of_an_english_one():
    korean = {str(path.relative_to(DOCS / "ko")) for folder in WRITTEN for path in (DOCS / "ko" / folder).glob("*.md")}
    assert korean <= set(english_pages()) - ENGLISH_ONLY


@pytest.mark.parametrize("page", [korean for _, korean in PAIRS], ids=str)
def test_korean_is_in_one_register(page):
    """합니다체 in every sentence, quotations aside."""
    prose = re.sub(r'^```.*?^```$|"[^"\n]*"|`[^`\n]*`', "", read(page), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"[^.|]*(?<![니])다\.(?=\s|$)", prose) == []


@each_page
def test_links_lead_somewhere(page):
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", read(page))]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (ROOT / page.parent / target).exists()] == []
    if page.parts[0] == "docs":
        # The site holds nothing from outside of docs/.
        assert [target for target in local if DOCS not in (ROOT / page.parent / target).resolve().parents] == []


def test_the_secrets_are_made_the_same_way_everywhere():
    loop = "cp .env.example .env\nfor name in OWNER_PASSWORD SERVICE_PASSWORD ENGINE_KEY ADMIN_KEY; do"
    made = [block for page in PAGES for block in blocks(read(page), "bash") if loop in block]
    assert len(made) == 4
    assert {block[block.index("cp ") : block.index("done")] for block in made} == {
        "\n".join(re.findall(r"^#   (.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)).removesuffix("done")
    }


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_the_readme_is_short(page):
    assert len(read(page).splitlines()) <= 150


def test_the_readme_executes_six_curls():
    assert sum(block.count("curl ") for block in executed("README.md")) == 6


def test_every_executed_page_is_in_the_order():
    assert {str(english) for english, _ in PAIRS if executed(english)} == set(EXECUTED)


NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
NAMED_PATH = re.compile(r"`((?:app|ingest|tests|bench|docs|deploy|migrations)/[\w/.]*)`")
STRUCTURE = [page for page in ("docs/architecture.md", "docs/ko/architecture.md", "CONTRIBUTING.md")]


@pytest.mark.parametrize("page", STRUCTURE)
def test_the_tests_that_a_page_names_exist(page):
    named = NAMED_TEST.findall(read(page))
    assert named
    assert [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists() or not re.search(rf"^(async )?def {name}\(", read(file), re.MULTILINE)
    ] == []


@pytest.mark.parametrize("page", STRUCTURE)
def test_the_files_and_folders_that_a_page_names_exist(page):
    named = NAMED_PATH.findall(read(page))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_architecture_lists_the_layers_of_the_contract():
    rows = re.findall(r"^\| (`app/.*?) \|", read("docs/architecture.md"), re.MULTILINE)
    rooms = [re.findall(r"`(app/[\w/.]+)`", row) for row in rows]
    assert [tuple(path.strip("/").removesuffix(".py").replace("/", ".") for path in row) for row in rooms] == [*LAYERS]
