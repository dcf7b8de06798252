"""The documentation says what the code does: settings, routes, commands, errors, defaults; its examples run."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import get_args

import pytest

from app.__main__ import build_parser
from app.api.problems import CODES
from app.errors import DocumentErrorCode, KyujangError, NotConfigured
from app.main import create_app
from app.prompting.elements import ENGLISH, KOREAN
from app.settings import Settings
from tests.conftest import ROOT

READMES = {name: (ROOT / name).read_text() for name in ("README.md", "README.ko.md")}
DEFAULTS = {"README.md": ENGLISH, "README.ko.md": KOREAN}
FENCE = re.compile(r"(<!-- test -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

each_readme = pytest.mark.parametrize("readme", READMES)


def blocks(text: str, language: str) -> list[str]:
    return [body for _, kind, body in FENCE.findall(text) if kind == language]


def readme_commands(name: str = "README.md") -> list[str]:
    """The bash blocks marked `<!-- test -->`, in order."""
    return [body for marked, kind, body in FENCE.findall(READMES[name]) if marked and kind == "bash"]


def first_cells(text: str) -> list[str]:
    """What stands in backquotes in the first column of a table, with what stands in the second."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def environment_name(field: str) -> str:
    return "DATABASE_URL" if field == "database_url" else f"KYUJANG_{field.upper()}"


@each_readme
def test_every_setting_is_in_the_table_with_its_default(readme):
    rows = dict(re.findall(r"^\| `((?:KYUJANG|DATABASE)_\w+)` \| (.*?) \| .+ \|$", READMES[readme], re.MULTILINE))
    assert set(rows) == {environment_name(name) for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if field.default not in (None, "") and field.default_factory is None:
            assert f"`{field.default}`" in rows[environment_name(name)], name


@each_readme
def test_every_route_is_in_the_table(readme):
    paths = create_app(Settings(engine="none")).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    named = {cell for cell in first_cells(READMES[readme]) if re.match(r"(GET|POST|PUT|DELETE|PATCH) /", cell)}
    assert named == routes


def commands_of(parser: argparse.ArgumentParser, words: str) -> Iterator[str]:
    choices = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not choices:
        yield words
    for name, inner in (choices[0] if choices else {}).items():
        yield from commands_of(inner, f"{words} {name}")


@each_readme
def test_every_command_is_in_the_table(readme):
    cells = first_cells(READMES[readme])
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


@each_readme
def test_every_make_target_is_in_the_table(readme):
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    named = [cell.removeprefix("make ") for cell in first_cells(READMES[readme]) if cell.startswith("make ")]
    assert sorted(named) == sorted(phony[1].split())


def error_codes(error: type[KyujangError]) -> Iterator[str]:
    yield error.code
    for each in error.__subclasses__():
        yield from error_codes(each)


@each_readme
def test_every_error_code_is_in_the_table(readme):
    cells = set(first_cells(READMES[readme]))
    codes = {*error_codes(KyujangError), *CODES.values(), "not_ready", "invalid_json"} - {NotConfigured.code}
    statuses = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", READMES[readme], re.MULTILINE))
    assert set(statuses) == codes
    assert set(get_args(DocumentErrorCode)) <= cells


@each_readme
def test_the_prompt_s_defaults_are_quoted(readme):
    assert f'"{DEFAULTS[readme].instruction}"' in READMES[readme]
    assert f'"{DEFAULTS[readme].output_indicator}"' in READMES[readme]


def test_both_languages_say_the_same():
    english, korean = READMES["README.md"], READMES["README.ko.md"]
    for pattern in (r"^#+ ", r"^\| ", r"^- ", r"^```"):
        found = [len(re.findall(pattern, text, re.MULTILINE)) for text in (english, korean)]
        assert found[0] == found[1], pattern
    assert readme_commands("README.md") == readme_commands("README.ko.md")
    assert first_cells(english) == first_cells(korean)


@each_readme
def test_links_lead_somewhere(readme):
    targets = re.findall(r"\]\(([^)]+)\)", READMES[readme])
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []


def test_the_secrets_are_made_the_same_way_everywhere():
    loop = "for name in OWNER_PASSWORD SERVICE_PASSWORD ENGINE_KEY ADMIN_KEY; do"
    texts = [*READMES.values(), (ROOT / "deploy" / "gpu-vm.md").read_text()]
    made = {block for text in texts for block in blocks(text, "bash") if loop in block}
    assert {block[block.index("cp ") : block.index("done")] for block in made} == {
        "\n".join(re.findall(r"^#   (.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)).removesuffix("done")
    }


def test_the_examples_run(live_server):
    """In the order of the page, each as it stands, with the address of the test's server."""
    assert len(readme_commands()) >= 5
    strict = 'curl() { command curl --fail-with-body -sS "$@"; echo; }\n'
    environment = {**os.environ, "KYUJANG_URL": live_server}
    printed = []
    for block in readme_commands():
        script = block.replace("http://127.0.0.1:8000", live_server).replace(".venv/bin/python", sys.executable)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", strict + script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
    first, dry = printed[0], printed[1]
    assert '"status":"succeeded"' in first
    assert '"citations":[{' in first
    assert '"role":"system"' in dry
    (invented,) = [out for block, out in zip(readme_commands(), printed, strict=True) if "맥북프로" in block]
    assert '"finish_reason":"no_answer","no_answer_reason":"model_declined"' in invented
