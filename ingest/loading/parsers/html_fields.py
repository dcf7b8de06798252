"""Writes the fields of HTML's forms as text: what was entered, chosen and ticked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingest.loading.parsers.html_elements import is_hidden
from ingest.loading.parsers.html_tokens import End, Start, Token

ENTERED = {"", "text", "search", "tel", "url", "email", "number", "date", "month", "week", "time", "datetime-local"}
TICKED = {"checkbox": ("☐", "☑"), "radio": ("○", "◉")}
IN_CHOICE = ("option", "optgroup", "hr")


class _Choice:
    def __init__(self, tag: Start) -> None:
        self._is_list = tag.attribute("multiple") is not None or (tag.attribute("size") or "1") not in ("", "0", "1")
        self._options: list[str] = []
        self._chosen: list[int] = []

    def add(self, token: Token) -> bool:
        """Take a token; return whether the field goes on."""
        match token:
            case str() if self._options:
                self._options[-1] += token
            case Start("option"):
                if token.attribute("selected") is not None:
                    self._chosen.append(len(self._options))
                self._options.append("")
            case Start(name):
                return name in IN_CHOICE
            case End("select"):
                return False
        return True

    def text(self) -> str:
        """Return what is chosen; a list of which nothing is chosen is seen whole."""
        every = range(len(self._options)) if self._is_list else range(min(1, len(self._options)))
        return ", ".join(" ".join(self._options[at].split()) for at in self._chosen or every)


def with_fields(found: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens, with a text for each field. Boxes are told in forms alone: elsewhere they open menus."""
    choice: _Choice | None = None
    forms = 0
    for token in found:
        if choice is not None:
            if choice.add(token):
                continue
            yield f" {choice.text()} "
            choice = None
            if token == End("select"):
                continue
        match token:
            case Start("select") if not is_hidden(token):
                choice = _Choice(token)
            case Start("input") if not is_hidden(token):
                yield _entered(token, in_form=forms > 0)
            case Start("form"):
                forms += 1
                yield token
            case End("form"):
                forms -= 1
                yield token
            case _:
                yield token
    if choice is not None:
        yield f" {choice.text()} "


def _entered(tag: Start, *, in_form: bool) -> str:
    kind = (tag.attribute("type") or "").lower()
    if kind in ENTERED:
        return f" {tag.attribute('value') or ''} "
    if kind in TICKED and in_form:
        return f" {TICKED[kind][tag.attribute('checked') is not None]} "
    return " "
