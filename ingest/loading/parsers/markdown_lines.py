"""Finds the lines of Markdown at which something is to be done: most are kept as they are, many at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# A fence, a heading of HTML or one that stands apart from the margin, a definition, and a line below a heading or below
# the header of a table. Each of the patterns begins with a certain character: `re` goes to it ten times as fast.
MARKED = re.compile(
    r"""
    \n(?:[^\S\n]*+(?:`{3}|~{3}|<h[1-6]|\[[^\]\n]{1,200}\]:|[-|:=](?:[-|:=]|[^\S\n])*+(?:\n|\Z))|[ ]{1,3}\#{1,6}[ \t])
    """,
    re.IGNORECASE | re.VERBOSE,
)
CLOSING = re.compile(r"\n[^\S\n]*+(`{3,}+|~{3,}+)[^\S\n]*+(?=\n|\Z)")
# Data, tags, definitions and headings that may be written over several lines, and are then taken together.
BASE64 = "[a-z0-9+/=]"
AT_START = "(?:" + "|".join(rf"(?<=^{'[ ]' * indent}\[)" for indent in range(4)) + ")"
TAG = r"<h[1-6]\b[^<>]*+>(?:[^<]|<(?!/?h[1-6]\b))*+</h[1-6]>|<[a-z][a-z0-9]*\b[^<>]*+>"
WRAPPED_TAG = re.compile(TAG, re.IGNORECASE)
WRAPPED = re.compile(
    rf"""
    {TAG}
    | ;base64,{BASE64}*+(?:\s*+{BASE64}{{16,}}+)*+(?:\s*+{BASE64}*+)(?=[)>"'])
    | \[{AT_START}[^\]\n]{{1,200}}\]:[ \t]*\r?\n[ \t]*<?data:
    | \[{AT_START}[^\]\n]{{1,50}}\]:[ \t]*(?:\#|<>)[ \t]*\([^()]*\)
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
DATA = re.compile(";base64,", re.IGNORECASE)
DEFINITION = re.compile(r"\n {0,3}\[[^\]\n]{1,200}\]:")


class MarkedLines:
    """Goes from one such line to the next. A line is named by the line feed before it in `text`, and `end` is after the
    last; `others` are patterns of whatever else makes a line one of them."""

    def __init__(self, content: str, others: Sequence[re.Pattern[str]]) -> None:
        self.text = f"\n{content}"
        self.end = len(self.text)
        self._inside = self._wrapped()
        starts = {self.text.rfind("\n", 0, feed) for feed in self._inside}
        starts.update(start for pattern in others for start in self._with(pattern))
        self._others = sorted(starts, reverse=True)
        self._found = -1

    def next_from(self, at: int) -> int:
        """Return the first of the lines that is not before this one."""
        if self._found < at:
            found = MARKED.search(self.text, at)
            self._found = found.start() if found else self.end
        while self._others and self._others[-1] < at:
            self._others.pop()
        return min(self._found, self._others[-1]) if self._others else self._found

    def end_of(self, line: int) -> int:
        """Return the end of the line and of those that it goes on in."""
        at = self._feed(line + 1)
        while at in self._inside:
            at = self._feed(at + 1)
        return at

    def end_of_code(self, fence: str, at: int) -> int:
        """Return the end of the next line that is this fence alone."""
        closing = (found for found in CLOSING.finditer(self.text, at) if found[1] == fence)
        return next((found.end() for found in closing), self.end)

    def _feed(self, at: int) -> int:
        place = self.text.find("\n", at)
        return self.end if place < 0 else place

    def _with(self, pattern: re.Pattern[str]) -> Iterator[int]:
        at = 0
        while found := pattern.search(self.text, at):
            yield self.text.rfind("\n", 0, found.end())
            at = self._feed(found.end())

    def _wrapped(self) -> set[int]:
        """Return the line feeds inside of something that goes on in the next line."""
        pattern = WRAPPED if DATA.search(self.text) or DEFINITION.search(self.text) else WRAPPED_TAG
        inside: set[int] = set()
        for found in pattern.finditer(self.text):
            if "\n" in found[0]:
                inside.update(found.start() + at for at, each in enumerate(found[0]) if each == "\n")
        return inside
