"""Finds what the style sheets in a page hide: rules for one element by its name, its classes and its id."""

from __future__ import annotations

import re
from collections import defaultdict

from ingest.loading.parsers.html_elements import INVISIBLE, is_hidden
from ingest.loading.parsers.html_tokens import Start

DISPLAYED = re.compile(r"(?:^|;)\s*(?:display|visibility)\s*:", re.IGNORECASE)
COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
PIECE = re.compile(r"([^{}]*+)([{}])")
SELECTOR = re.compile(r"([a-z][a-z0-9]*)?((?:[.#][\w-]+)*)", re.IGNORECASE)
MARK = re.compile(r"[.#][\w-]+")
# A script shows what a sheet hides, such as the answer to a question that is clicked.
SCRIPT = re.compile(r"<script\b|\son[a-z]+\s*=", re.IGNORECASE)
# Of an element, and of a page: pages that people write have fewer.
MAX_MARKS, MAX_RULES = 50, 1000

Rule = tuple[str, frozenset[str]]
"""An element's name, or any, and what it has of classes and id."""


class Styles:
    def __init__(self, content: str) -> None:
        self._content = content
        self._count = 0
        self._rules: dict[Rule, tuple[int, bool]] = {}
        """When each rule came last, and whether it hides."""
        self._by_mark: defaultdict[str, set[Rule]] = defaultdict(set)

    def add(self, sheet: str) -> None:
        """Take a sheet. Rules within braces, as those of `@media`, are for some screens alone."""
        if not DISPLAYED.search(sheet.replace("{", ";")) or SCRIPT.search(self._content):
            return
        depth, selectors = 0, ""
        for text, brace in PIECE.findall(COMMENT.sub("", sheet)):
            if brace == "{":
                depth, selectors = depth + 1, text if depth == 0 else "@"
            else:
                if depth == 1 and DISPLAYED.search(text):
                    self._add_rules(selectors.rpartition(";")[2], hides=INVISIBLE.search(text) is not None)
                depth, selectors = max(0, depth - 1), ""

    def _add_rules(self, selectors: str, *, hides: bool) -> None:
        for selector in selectors.split(","):
            found = SELECTOR.fullmatch(selector.strip())
            if found and selector.strip() and len(self._rules) < MAX_RULES:
                name, marks = (found[1] or "").lower(), MARK.findall(found[2])
                rule = name, frozenset(marks)
                self._rules[rule] = self._count, hides
                self._by_mark[marks[0] if marks else name].add(rule)
                self._count += 1

    def hide(self, tag: Start) -> bool:
        """Tell whether the page hides the element."""
        if is_hidden(tag):
            return True
        if not self._rules or DISPLAYED.search(tag.attribute("style") or ""):
            return False
        marks = {f".{each}" for each in (tag.attribute("class") or "").split()[:MAX_MARKS]}
        marks.add(f"#{tag.attribute('id') or ''}")
        matching = [
            (sum(each[0] == "#" for each in rule[1]), len(rule[1]), rule[0] != "", *self._rules[rule])
            for mark in (tag.name, *marks)
            for rule in self._by_mark.get(mark, ())
            if rule[0] in ("", tag.name) and rule[1] <= marks
        ]
        # The more exact rule wins, then the later one.
        return bool(matching) and max(matching)[-1]
