"""Chooses a document's title: programs fill in titles that say nothing, or keep those of another document."""

from __future__ import annotations

import re

from ingest.loading.clean_text import clean_text
from ingest.loading.picture_marks import without_marks

LINE = re.compile(r"(?:\A|\n)(.*)")
HEADING = re.compile(r"#[ \t]+(?:#[ \t]+)*([^\s#].{0,299})")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
HEADING_END = re.compile(r"\s*(?:\{[^{}]*\})?(?:\s#+)?\s*$")
# Titles that programs put into the properties by default.
NO_TITLE = re.compile(
    r"(?:untitled|제목 ?없음|powerpoint presentation|powerpoint 프레젠테이션|microsoft \w+ - .*"
    r"|\(?(?:anonymous|unspecified)\)?|(?:word |new )?(?:document|presentation|book|문서|프레젠테이션|통합 문서) ?\d*"
    r"|.*\.(?:pdf|docx?|pptx?|xlsx?|hwpx?|od[tsp]|html?|txt|indd))",
    re.IGNORECASE,
)
MIN_OWN_TITLE = 4


def heading(text: str) -> str | None:
    """Return the first heading of the first level; in a block of code such a line is a comment."""
    code = ""
    for each in LINE.finditer(text):
        line = each[1]
        if code:
            code = "" if line.strip() == code else code
        elif fence := FENCE.match(line):
            code = fence.group(1)
        elif found := HEADING.match(line):
            # The marks of pictures are long, and no part of it.
            return HEADING_END.sub("", (HEADING.match(without_marks(line)) or found).group(1))
    return None


def meant(title: str | None) -> str | None:
    """Return the title of the properties unless a program put it there by default."""
    return title if title and not NO_TITLE.fullmatch(title.strip()) else None


def own(title: str | None, text: str) -> str | None:
    """Keep the title only if the text has it too: mostly it is that of the document this one was copied from."""
    if title is None or len(title.strip()) < MIN_OWN_TITLE or title.strip().isdigit():
        return None
    return title if _squeezed(title) in _squeezed(text) else None


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", clean_text(text))
