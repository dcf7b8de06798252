"""Plain words in everything that users read: documents, messages, help texts, the API's descriptions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What is written, as a pattern, and what to write instead.
PLAIN = {
    r"\banew\b": "again",
    r"\b(take|takes|took|taken|taking)( \w+)? in\b(?! (order|turn|place|part|total|all)\b)": "ingest",
    r"\bits kin\b": "name them",
    r"\bwhoever\b": "the caller, the process … that",
    # As the whole text it is an account's name.
    r"(?<!^)\b(no|some)body\b": "name who: no process, another caller",
    r"\ball the same\b": "still, nevertheless",
    r"(?<!there )\b(is|are|was|were|be) no (?!(longer|more|less|worse|better|faster|slower)\b)": "is not a",
    r"\bf(e|a)lls? silent\b": "stops responding",
    r"\bto the letter\b": "literally",
    r"\bbroken off\b": "interrupted",
}
UNPLAIN = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in PLAIN.items()}

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md") if (ROOT / name).exists()),
    *sorted((ROOT / "docs").rglob("*.md")),
]
CODE = sorted(path for folder in ("app", "ingest") for path in (ROOT / folder).rglob("*.py"))
# Their docstrings reach callers: as an error's title, as the description of a route or a field.
DOCUMENTED = ("app/errors.py", "app/api/")


def found(text: str) -> list[str]:
    flat = " ".join(text.split())
    return [f"{match[0]!r} ({instead})" for each, instead in UNPLAIN.items() for match in each.finditer(flat)]


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """String constants, without docstrings where these reach developers alone."""
    tree = ast.parse(path.read_text())
    documented = str(path.relative_to(ROOT)).startswith(DOCUMENTED)
    unread = (
        set()
        if documented
        else {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unread:
            yield node.lineno, node.value


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_in_plain_words(page):
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert found(prose) == []


def test_messages_are_in_plain_words():
    worded = [(path, line, found(text)) for path in CODE for line, text in sentences(path)]
    assert len(worded) > 500
    assert [f"{path.relative_to(ROOT)}:{line}: {', '.join(words)}" for path, line, words in worded if words] == []


@pytest.mark.parametrize(
    "text",
    [
        "It begins anew.",
        "Documents\nare taken in.",
        "Take documents in",
        "This is no JSON.",
        "Tell nobody.",
        "It falls silent.",
    ],
)
def test_the_words_are_found(text):
    assert found(text)


@pytest.mark.parametrize("text", ["There is no prompt.", "is no longer", "taken in turn", "what was said", "no JSON"])
def test_plain_words_are_let_through(text):
    assert found(text) == []
