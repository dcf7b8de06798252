"""Writes the words of Hancom's equation script in LaTeX."""

from __future__ import annotations

import re

from ingest.loading.parsers.hancom.symbols import CASED, FUNCTIONS, GREEK, LARGE, LATIN_CAPITALS, NAMED, SYMBOLS

DELIMITERS = {"{": "\\{", "}": "\\}", "lbrace": "\\{", "rbrace": "\\}", "<": "\\langle", ">": "\\rangle"}
BRACKETS = frozenset("()[]|.")


class UnsoundError(Exception):
    """Says that the script has something in it whose LaTeX is not known."""


def name(word: str, font: str) -> str:
    """Return a word's symbol, function or letters."""
    lower = word.lower()
    if word in FUNCTIONS:
        return f"\\{lower}" if word != "Pr" else "\\Pr"
    if word in NAMED:
        return f"\\operatorname{{{word}}}"
    if word in CASED:
        return CASED[word]
    if lower in GREEK:
        return _greek(word, lower)
    if found := LARGE.get(lower) or SYMBOLS.get(lower):
        return found
    if word[:-1] in FUNCTIONS:
        # `logx` is shown as log x.
        return f"\\{word[:-1].lower()} {word[-1]}"
    return f"\\{font}{{{word}}}" if font else word


def braced(latex: str) -> str:
    """Put it in braces, unless it is one group already."""
    depth = 0
    for at, character in enumerate(latex):
        depth += (character == "{") - (character == "}")
        if not depth:
            return latex if at == len(latex) - 1 and latex[0] == "{" else f"{{{latex}}}"
    return f"{{{latex}}}"


def delimiter(word: str) -> str:
    if word in BRACKETS:
        return word
    if (found := DELIMITERS.get(word) or CASED.get(word) or SYMBOLS.get(word.lower())) is None:
        raise UnsoundError
    return found.strip()


def _greek(word: str, lower: str) -> str:
    if word[0].islower():
        return f"\\{lower}" if lower != "omicron" else "o"
    return LATIN_CAPITALS.get(lower) or f"\\{lower.capitalize()}"


def escaped(text: str) -> str:
    return re.sub(r"([%$&#_{}])", r"\\\1", text.replace("\\", ""))
