"""Finds runs of characters of one class that are longer than allowed, at the cost of looking at some of the text."""

from __future__ import annotations

import re


class Runs:
    """Runs of `characters`, written as within the brackets of a pattern, longer than `longest`.

    `among`: a class that holds them all and is found faster.
    """

    def __init__(self, characters: str, longest: int, among: str = "") -> None:
        self._longest = longest
        self._step = (longest + 1) // 2
        self._two = re.compile(f"[{among or characters}](?=[{among or characters}])")
        self._run = re.compile(f"[{characters}]{{0,{longest + 1}}}")

    def are_in(self, text: str) -> bool:
        # A run that is too long covers two of these places in a row, and few texts have such characters at both.
        found = self._two.finditer(text[:: self._step])
        return any(self._covers(text, each.start() * self._step) for each in found)

    def _covers(self, text: str, at: int) -> bool:
        """Tell whether a run that is too long covers the place."""
        before = text[max(0, at - self._longest) : at][::-1]
        return self._length(text, at) + self._length(before, 0) > self._longest

    def _length(self, text: str, at: int) -> int:
        found = self._run.match(text, at)
        return found.end() - at if found else 0
