"""Writes the rows of Markdown's tables whole: pipes at their ends, and empty cells there, may be left out."""

from __future__ import annotations

import re

# The line below the header of a table, whose rows may do without pipes at their ends; and what ends it.
RULE = re.compile(r"\s*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)++\|?\s*")
PIPE = re.compile(r"(?<!\\)\|")
NO_ROW = re.compile(r"[^|]*$|\s*(?:#{1,6}|>|[-*+]|\d+[.)])\s")


def row(line: str, width: int = 0) -> str:
    """Return the row of a table with the pipes at its ends, and the cells that it leaves out there."""
    cells = line.strip()
    if cells.startswith("|") and cells.endswith("|"):
        return line
    shown = f"| {cells.strip('|').strip()} |"
    return shown + "  |" * (width - columns(shown))


def columns(row: str) -> int:
    return len(PIPE.findall(row)) - 1
