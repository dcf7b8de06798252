"""Collects the items of HTML's lists, a line each, those of inner lists indented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from ingest.loading.parsers.flow import Flow
from ingest.loading.parsers.html_tokens import End, Start, Token
from ingest.loading.parsers.list_numbers import formatted

# Deeper lists are indented no further.
MAX_INDENT = 20
KINDS = {
    "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman", "lower-alpha": "lowerLetter",
    "lower-latin": "lowerLetter", "upper-alpha": "upperLetter", "upper-latin": "upperLetter",
    "lower-roman": "lowerRoman", "upper-roman": "upperRoman", "decimal-leading-zero": "decimalZero", "none": "none",
    "hangul": "ganada", "hangul-consonant": "chosung", "korean-hangul-formal": "koreanCounting",
    "katakana": "aiueo", "cjk-decimal": "ideographDigital", "1": "decimal", "decimal": "decimal",
}  # fmt: skip
BULLETS = {"disc", "circle", "square", "disclosure-closed", "disclosure-open"}
STYLE = re.compile(r"\blist-style(?:-type)?\s*:\s*([a-z-]+)", re.IGNORECASE)


@dataclass
class Lists:
    """`numbers` are those that the next items of the open lists have, None where items have none, `steps` lead from one
    to the next, and `kinds` tell how they are written."""

    numbers: list[int | None] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    marker: str = ""


class HtmlLists:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._lists = Lists()
        self._around: list[Lists] = []

    def open(self, tag: Start) -> None:
        style = STYLE.search(tag.attribute("style") or "")
        is_ordered = tag.name == "ol"
        named = style[1].lower() if style else (is_ordered and tag.attribute("type")) or ""
        kind = KINDS.get(named, "decimal" if is_ordered and named not in BULLETS else "")
        has_numbers = kind and (is_ordered or kind != "none")
        self._lists.numbers.append(_number(tag.attribute("start"), 1) if has_numbers else None)
        self._lists.kinds.append(kind)
        self._lists.steps.append(-1 if tag.attribute("reversed") is not None else 1)

    def item(self, tag: Start) -> None:
        """Start an item; its marker stands before the text that comes next."""
        numbers = self._lists.numbers
        if not numbers or numbers[-1] is None:
            self._lists.marker = "- "
            return
        number = _number(tag.attribute("value"), numbers[-1])
        numbers[-1] = number + self._lists.steps[-1]
        kind = self._lists.kinds[-1]
        self._lists.marker = f"{formatted(number, kind)}. " if kind != "none" else ""

    def add(self, text: str) -> None:
        """Add a paragraph, as a line of the list if one is open."""
        if not self._lists.numbers:
            self._flow.paragraph(text)
        elif text.strip():
            level = min(len(self._lists.numbers), MAX_INDENT)
            indent = "  " * (level - 1) if self._lists.marker else "  " * level
            self._lists.lines.append(f"{indent}{self._lists.marker}{text.strip()}")
            self._lists.marker = ""

    def close(self) -> None:
        if self._lists.numbers:
            self._lists.numbers.pop()
            self._lists.kinds.pop()
            self._lists.steps.pop()
        if not self._lists.numbers:
            self.give()

    def give(self) -> None:
        """End the lines so far, before something that is not an item."""
        self._flow.paragraph("\n".join(self._lists.lines))
        self._lists.lines = []

    def set_aside(self) -> None:
        """Begin without a list, in a table or another part, until it ends."""
        self.give()
        self._around.append(self._lists)
        self._lists = Lists()

    def take_back(self) -> None:
        self.give()
        self._lists = self._around.pop()


def with_first_numbers(found: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens; a list that counts down to one begins with as many as it has items."""
    held: list[Token] = []
    open_: list[tuple[int, int]] = []
    """Where the lists in hand began, the first of which counts down, and how many items they have."""
    for token in found:
        if not open_ and not _counts_down(token):
            yield token
            continue
        held.append(token)
        match token:
            case Start("ol" | "ul" | "menu"):
                open_.append((len(held) - 1, 0))
            case Start("li"):
                open_[-1] = (open_[-1][0], open_[-1][1] + 1)
            case End("ol" | "ul" | "menu"):
                _number_first(held, *open_.pop())
        if not open_:
            yield from held
            held = []
    for each in open_:
        _number_first(held, *each)
    yield from held


def _number_first(held: list[Token], place: int, items: int) -> None:
    if _counts_down(tag := held[place]):
        held[place] = replace(tag, attributes=f"{tag.attributes} start={items}")


def _counts_down(token: Token) -> TypeGuard[Start]:
    return isinstance(token, Start) and token.name == "ol" and token.attribute("reversed") is not None


def _number(text: str | None, otherwise: int) -> int:
    digits = (text or "").strip()[:9]
    return int(digits) if digits.isascii() and digits.isdigit() else otherwise
