"""Take apart what a model writes, as it comes: its reasoning, its answer, or that it declines. Pure."""

from __future__ import annotations

import re

from app.prompting.elements import END_OF_THINKING, NO_ANSWER, THINK
from app.prompting.json_schema import DECLINED

SPACE = re.compile(r"\s+")


class Reply:
    """Holds text back while it may turn out to be a marker.

    The reasoning stands between `<think>` and `</think>` at the beginning. A model whose chat template opens it writes
    only its end: what came before that is reasoning as well.
    """

    def __init__(self, *, structured: bool = False) -> None:
        self.reasoning = ""
        self.answer = ""
        self.declined = False
        self._held = ""
        self._begun = False
        self._thinking = False
        self._structured = structured

    def feed(self, text: str) -> str:
        """Return what of the answer can be shown now."""
        self._held += text
        if not self._begun:
            self._begin()
        shown = ""
        while self._begun and self._held and not self.declined:
            before, marker = self._next(self._held)
            self._held = self._held[len(before) + len(marker) :]
            if self._thinking:
                self.reasoning += before
            else:
                shown += self._show(before)
            if not marker:
                break
            self._meet(marker)
        return shown

    def end(self) -> str:
        """Return what was held back and is not a marker after all."""
        rest, self._held = self._held, ""
        if self.declined:
            return ""
        if self._thinking:
            self.reasoning += rest
            return ""
        return self._show(rest)

    def _show(self, text: str) -> str:
        """Add to the answer, without the white space before it."""
        text = text if self.answer else text.lstrip()
        self.answer += text
        return text

    def _begin(self) -> None:
        text = self._held.lstrip()
        if self._structured:
            compact = SPACE.sub("", text)
            self.declined = compact == DECLINED
            self._begun = not DECLINED.startswith(compact)
            return
        if THINK.startswith(text):
            self._thinking = self._begun = text == THINK
            self._held = "" if self._begun else text
            return
        self._begun, self._thinking = True, text.startswith(THINK)
        self._held = text.removeprefix(THINK)

    def _next(self, text: str) -> tuple[str, str]:
        """Return what comes before the first marker, and the marker."""
        if self._structured:
            return text, ""
        markers = (END_OF_THINKING,) if self._thinking else (NO_ANSWER, END_OF_THINKING)
        found = [(text.index(marker), marker) for marker in markers if marker in text]
        if found:
            at, marker = min(found)
            return text[:at], marker
        return text[: len(text) - max(_unfinished(text, marker) for marker in markers)], ""

    def _meet(self, marker: str) -> None:
        if marker == NO_ANSWER:
            self.declined, self.answer = True, ""
            return
        if not self._thinking:
            self.reasoning, self.answer = self.answer, ""
        self._thinking = False


def _unfinished(text: str, marker: str) -> int:
    """Return how many characters at the end of `text` may begin `marker`."""
    return next((size for size in range(min(len(marker) - 1, len(text)), 0, -1) if text.endswith(marker[:size])), 0)
