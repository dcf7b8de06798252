"""Turns the script of Hancom's equations into LaTeX, as far as it is sure of it; other scripts stay as written.

A blank ends a term in the script: `1 over 2a` is 1/(2a), `1 over 2 a` is (1/2)a.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.loading.parsers.hancom.latex import UnsoundError, braced, delimiter, escaped, name
from ingest.loading.parsers.hancom.symbols import ACCENTS, FONTS, LARGE, MATRICES, SIGNS

TOKEN = re.compile(
    r'"[^"]*"|[0-9]+(?:\.[0-9]+)?|[A-Za-z]+|<->|<<<|>>>|\.\.\.|->|<-|=>|<=|>=|!=|==|\+-|-\+|<<|>>|[^\W\d_a-zA-Z]+|\S'
)
SCRIPTS = {"_": "_", "^": "^", "sub": "_", "sup": "^", "from": "_", "to": "^"}
NEW_ROW = " \\\\ "
WITH_ARGUMENTS = frozenset((*ACCENTS, *MATRICES, *LARGE, "sqrt", "root", "left", "binom"))
UNSOUND = frozenset(
    ("rel", "buildrel", "longdiv", "ladder", "sladder", "lsub", "lsup", "col", "lcol", "rcol", "}", "#")
)
MAX_SCRIPT, MAX_DEPTH = 10_000, 40


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    glued: bool
    """Whether no blank stands before it."""


def equation(script: str) -> str:
    """Return `$LaTeX$`, or the script itself."""
    plain = " ".join(script.split())
    if not plain or len(plain) > MAX_SCRIPT:
        return plain
    try:
        latex = _Parser(script).whole()
    except UnsoundError:
        return plain
    return f"${latex}$" if latex else plain


class _Parser:
    def __init__(self, script: str) -> None:
        self._tokens: list[_Token] = []
        end = 0
        for found in TOKEN.finditer(script):
            self._tokens.append(_Token(found[0], found.start() == end))
            end = found.end()
        self._at = self._depth = 0
        self._font = ""

    def whole(self) -> str:
        rows = self._rows()
        if self._at < len(self._tokens):
            raise UnsoundError
        return f"\\begin{{aligned}}{rows}\\end{{aligned}}" if self._aligned() else rows

    def _aligned(self) -> bool:
        depth = 0
        for token in self._tokens:
            depth += (token.text == "{") - (token.text == "}")
            if token.text in "#&" and not depth:
                return True
        return False

    def _rows(self) -> str:
        rows = [self._row()]
        while self._next() == "#":
            self._at += 1
            rows.append(self._row())
        return NEW_ROW.join(rows)

    def _next(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _take(self) -> _Token:
        if self._at >= len(self._tokens):
            raise UnsoundError
        self._at += 1
        return self._tokens[self._at - 1]

    def _row(self) -> str:
        """Read up to the end of the group, the row or what is between `left` and `right`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsoundError
        items: list[tuple[str, bool]] = []
        font = self._font
        while (word := self._next()) not in ("", "}", "#") and word.lower() != "right":
            glued = self._tokens[self._at].glued
            match word.lower():
                case "over" | "atop" | "choose":
                    self._at += 1
                    items.append((self._fraction(word.lower(), _term(items)), False))
                case "rm" | "it" | "bold":
                    self._at += 1
                    self._font = FONTS[word.lower()]
                case _:
                    items.append((self._item(), glued))
        self._font = font
        self._depth -= 1
        return " ".join(latex for latex, _ in items)

    def _fraction(self, kind: str, above: str) -> str:
        below = self._glued_term()
        if not above or not below:
            raise UnsoundError
        if kind == "atop":
            return f"{{{above} \\atop {below}}}"
        return f"\\{'frac' if kind == 'over' else 'binom'}{braced(above)}{braced(below)}"

    def _glued_term(self, *, plain: bool = False) -> str:
        """Read what belongs together: a group, or all that follows without a blank (if plain: without a sign)."""
        parts = [self._atom() if plain else self._item()]
        while self._at < len(self._tokens) and self._tokens[self._at].glued:
            word = self._next()
            if word in "}#&)],=+-*/<>" or word.lower() in (*SCRIPTS, "over", "atop", "choose", "right"):
                break
            if plain and (not word[0].isalnum() or word.lower() in WITH_ARGUMENTS):
                break
            parts.append(self._atom() if plain else self._item())
        return " ".join(parts)

    def _item(self) -> str:
        latex = self._atom()
        seen = ""
        while (mark := SCRIPTS.get(self._next().lower())) is not None:
            if mark in seen:
                raise UnsoundError
            seen += mark
            self._at += 1
            latex += f"{mark}{braced(self._script_term())}"
        return latex

    def _script_term(self) -> str:
        """Read what is raised or lowered: after `sum_` it may be `n=1`."""
        parts = [self._glued_term(plain=True)]
        while self._next() in ("=", "->") and self._tokens[self._at].glued:
            parts += [self._atom(), self._glued_term(plain=True)]
        return " ".join(parts)

    def _atom(self) -> str:
        word = self._take().text
        lower = word.lower()
        if word == "{":
            inner = self._row()
            if self._take().text != "}":
                raise UnsoundError
            return f"{{{inner}}}"
        if word in ("}", "#") or lower in ("over", "atop", "choose", "right"):
            raise UnsoundError
        if word in SCRIPTS:
            return f"{{}}{SCRIPTS[word]}{braced(self._script_term())}"
        if word[0] == '"':
            return f"\\text{{{escaped(word[1:-1])}}}" if len(word) > 1 else word
        if word[0].isalpha():
            return self._word(word, lower) if word.isascii() else f"\\text{{{word}}}"
        return SIGNS.get(word, word)

    def _word(self, word: str, lower: str) -> str:
        if lower in UNSOUND:
            raise UnsoundError
        if lower in ACCENTS:
            return f"\\{ACCENTS[lower]}{braced(self._atom())}"
        if lower in MATRICES:
            return self._matrix(MATRICES[lower])
        match lower:
            case "left":
                return self._between()
            case "sqrt":
                return f"\\sqrt{braced(self._glued_term())}"
            case "root":
                return self._root()
            case "binom":
                return f"\\binom{braced(self._atom())}{braced(self._atom())}"
            case "not":
                return f"\\not{{{self._atom()}}}"
        if lower in ("scale", "color"):
            self._atom()
        return self._atom() if lower in ("scale", "color", "bigg") else name(word, self._font)

    def _root(self) -> str:
        degree = self._glued_term()
        if self._take().text.lower() != "of":
            raise UnsoundError
        return f"\\sqrt[{degree}]{braced(self._glued_term())}"

    def _matrix(self, kind: str) -> str:
        if self._take().text != "{":
            raise UnsoundError
        rows = self._rows()
        if self._take().text != "}":
            raise UnsoundError
        return f"\\begin{{{kind}}}{rows}\\end{{{kind}}}"

    def _between(self) -> str:
        first = delimiter(self._take().text)
        inner = self._row()
        if self._take().text.lower() != "right":
            raise UnsoundError
        return f"\\left{first} {inner} \\right{delimiter(self._take().text)}"


def _term(items: list[tuple[str, bool]]) -> str:
    """Take the term before `over` off the row: back to the last blank."""
    parts: list[str] = []
    while items:
        latex, glued = items.pop()
        parts.append(latex)
        if not glued:
            break
    return " ".join(reversed(parts))
