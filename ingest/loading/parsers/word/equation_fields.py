"""Turns the instructions of EQ fields into LaTeX: what Word wrote equations with before it had an editor for them.

The same field puts a character into a circle and sets a reading above a word: that is text, not mathematics.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ingest.loading.parsers.hancom.numbers import circled

MAX_INSTRUCTION, MAX_DEPTH = 10_000, 30
OPTION = re.compile(
    r"\\(?:\*\s*(?:\"[^\"]*\"|\S+)|(?:bc|lc|rc|fc|vc)\s*\\?(?P<sign>\S)|(?P<name>[a-z]{1,2})\s*-?\d*)\s*", re.IGNORECASE
)
# Options that stand before an argument, as against what they belong to.
NAMES = frozenset("abdfiolrsx")
CIRCLES = "○◯〇"
NEW_ROW = " \\\\ "
PARTNERS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def equation_text(instruction: str) -> str:
    """Return what the field shows, or its arguments as they stand if it is not understood."""
    if len(instruction) > MAX_INSTRUCTION:
        return ""
    parser = _Parser(instruction)
    try:
        text = parser.sequence("").strip()
    except (RecursionError, ValueError):
        return ""
    return f"${text}$" if text and parser.is_mathematics else text


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._depth = 0
        self.is_mathematics = False

    def sequence(self, ends: str) -> str:
        """Read up to one of the characters, or the end."""
        pieces: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in ends:
            if self._text[self._at] == "\\":
                pieces.append(self._command())
            elif self._text[self._at] == "(" and ends:
                # Brackets within an argument.
                self._at += 1
                pieces.append(f"({self.sequence(')')})")
                self._at += 1
            else:
                pieces.append(self._text[self._at])
                self._at += 1
        return "".join(pieces)

    def _command(self) -> str:
        """Read a switch with its options and arguments, or a character that a backslash protects."""
        following = self._text[self._at + 1 : self._at + 2]
        if following in ("", "\\", ",", ";", "(", ")"):
            self._at += 2
            return following
        names: list[str] = []
        signs: dict[str, str] = {}
        while found := OPTION.match(self._text, self._at):
            self._at = found.end()
            if found["sign"]:
                signs[found[0][1:3].lower()] = found["sign"]
            elif found["name"]:
                names.append(found["name"].lower())
        if not names or names[0] not in NAMES or not self._text.startswith("(", self._at):
            self._at += not names and not signs
            return ""
        was_mathematics, arguments = self.is_mathematics, self._arguments()
        if names[0] == "o" and _is_reading(arguments):
            self.is_mathematics = was_mathematics
        return self._shown(names, signs, arguments)

    def _arguments(self) -> list[str]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError
        arguments: list[str] = []
        while self._text[self._at : self._at + 1] not in ("", ")"):
            self._at += 1
            arguments.append(self.sequence(",;)").strip())
        self._at += 1
        self._depth -= 1
        return arguments

    def _shown(self, names: list[str], signs: dict[str, str], arguments: list[str]) -> str:
        name, options = names[0], names[1:]
        if name == "o":
            return _over(arguments)
        if name in ("d", "l"):
            return ",".join(arguments)
        self.is_mathematics = True
        if name == "s":
            return _raised(options, arguments)
        if name == "i":
            return _integral(options, signs, arguments)
        if name == "b":
            return _bracketed(signs, arguments)
        return WRITERS[name](arguments)


def _is_reading(arguments: list[str]) -> bool:
    return len(arguments) == 2 and arguments[0].startswith("^{")


def _over(arguments: list[str]) -> str:
    """Write characters that lie on each other: in a circle, or a reading above its word."""
    if len(arguments) == 2 and arguments[0] in tuple(CIRCLES):
        return circled(arguments[1])
    if _is_reading(arguments):
        return f"{arguments[1]}({arguments[0][2:-1]})"
    return "".join(arguments)


def _raised(options: list[str], arguments: list[str]) -> str:
    if len(arguments) == 2:
        return f"^{{{arguments[0]}}}_{{{arguments[1]}}}"
    return f"{'_' if 'do' in options else '^'}{{{arguments[0]}}}"


def _integral(options: list[str], signs: dict[str, str], arguments: list[str]) -> str:
    sign = "\\sum" if "su" in options else "\\prod" if "pr" in options else signs.get("fc", signs.get("vc", "\\int"))
    low, high, rest = [*arguments, "", "", ""][:3]
    return sign + (f"_{{{low}}}" if low else "") + (f"^{{{high}}}" if high else "") + f" {rest}"


def _bracketed(signs: dict[str, str], arguments: list[str]) -> str:
    both = signs.get("bc", "" if signs else "(")
    sides = signs.get("lc", both), signs.get("rc", PARTNERS.get(both, both))
    left, right = (f"\\{side}" if side in ("{", "}") else side or "." for side in sides)
    return f"\\left{left} {','.join(arguments)} \\right{right}"


def _fraction(arguments: list[str]) -> str:
    above, below = [*arguments, "", ""][:2]
    return f"\\frac{{{above}}}{{{below}}}"


def _root(arguments: list[str]) -> str:
    degree, content = arguments[:2] if len(arguments) > 1 else ("", arguments[0])
    return f"\\sqrt{f'[{degree}]' if degree else ''}{{{content}}}"


WRITERS: dict[str, Callable[[list[str]], str]] = {
    "a": lambda arguments: f"\\begin{{matrix}}{NEW_ROW.join(arguments)}\\end{{matrix}}",
    "f": _fraction,
    "r": _root,
    "x": lambda arguments: f"\\boxed{{{','.join(arguments)}}}",
}
