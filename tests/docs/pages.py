"""The pages that are written by hand, and the blocks of code in them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.stack import ROOT

DOCS = ROOT / "docs"
# Not translated: what operators of a cluster read, and records of measurements.
ENGLISH_ONLY = {"operations/ray.md", "operations/measurements.md"}
WRITTEN = ("guides", "operations")
# In the order in which a reader would try them.
EXECUTED = [
    "README.md",
    *(
        f"docs/guides/{name}.md"
        for name in ("documents", "search-and-filters", "prompts", "grounding", "openai", "evaluate")
    ),
]
FENCE = re.compile(r"(<!-- test -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def english_pages() -> list[str]:
    """The pages below docs/ that are written by hand, by their path there."""
    return sorted(str(path.relative_to(DOCS)) for folder in WRITTEN for path in (DOCS / folder).glob("*.md")) + sorted(
        path.name for path in DOCS.glob("*.md") if path.name in {"index.md", "architecture.md", "glossary.md"}
    )


PAIRS = [
    (Path("README.md"), Path("README.ko.md")),
    *((Path("docs", page), Path("docs/ko", page)) for page in english_pages() if page not in ENGLISH_ONLY),
]
PAGES = sorted({*(page for pair in PAIRS for page in pair), *(Path("docs", page) for page in english_pages())})


def read(page: str | Path) -> str:
    return (ROOT / page).read_text()


def blocks(text: str, language: str) -> list[str]:
    return [body for _, kind, body in FENCE.findall(text) if kind == language]


def executed(page: str | Path) -> list[str]:
    """The bash blocks marked `<!-- test -->`, in order."""
    return [body for marked, kind, body in FENCE.findall(read(page)) if marked and kind == "bash"]
