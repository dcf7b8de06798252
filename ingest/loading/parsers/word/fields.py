"""Follows fields: their results are text, their instructions are not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.word.attributes import number, value

PAGE_NUMBER = re.compile(r"\s*(?:page|numpages|sectionpages)\b", re.IGNORECASE)
SEQUENCE = re.compile(r"\s*seq\b", re.IGNORECASE)
BOXES = {True: "☒", False: "☐"}


@dataclass(slots=True)
class Field:
    instruction: str = ""
    in_result: bool = False
    has_result: bool = False


class Fields:
    def __init__(self, *, page_numbers: bool) -> None:
        self._open: list[Field] = []
        self._page_numbers = page_numbers
        self.muted = False
        """Whether text belongs to an instruction, or is a page number that is not wanted."""

    def begin(self) -> None:
        self._open.append(Field())
        self._mute()

    def instruct(self, text: str) -> None:
        if self._open:
            self._open[-1].instruction += text

    @property
    def counts(self) -> bool:
        """Whether the instruction in hand numbers tables or pictures."""
        return bool(self._open) and SEQUENCE.match(self._open[-1].instruction) is not None

    def separate(self) -> None:
        if self._open:
            self._open[-1].in_result = True
        self._mute()

    def show(self) -> None:
        """Note that the file holds the result of the innermost field."""
        if self._open:
            self._open[-1].has_result |= self._open[-1].in_result

    def end(self) -> str:
        """End a field. Return its instruction if there is no result."""
        ended = self._open.pop() if self._open else Field()
        if ended.has_result:
            self.show()
        self._mute()
        return "" if ended.has_result else ended.instruction

    @property
    def instructing(self) -> bool:
        return bool(self._open) and not self._open[-1].in_result

    def close_instructions(self) -> None:
        """End the fields of a damaged file that never come to a result, at the end of their paragraph."""
        if self._open:
            self._open = [field for field in self._open if field.in_result]
            self._mute()

    def _mute(self) -> None:
        # The innermost instruction holds no text but in damaged files.
        instructed = any(not field.in_result for field in self._open[:-1])
        unwanted = not self._page_numbers and any(PAGE_NUMBER.match(field.instruction) for field in self._open)
        self.muted = instructed or unwanted


class FormField:
    """A tick box or a list of choices of an old form."""

    def __init__(self) -> None:
        self._ticked: bool | None = None
        self._entries: list[str] = []
        self._chosen = 0

    def read(self, name: str, attributes: Attributes) -> None:
        match name:
            case "checkBox":
                self._ticked = False
            case "default" | "checked" if self._ticked is not None:
                self._ticked = value(attributes) not in ("0", "false", "off")
            case "default" | "result":
                self._chosen = number(attributes)
            case "listEntry":
                self._entries.append(value(attributes))

    def text(self) -> str:
        if self._ticked is not None:
            return BOXES[self._ticked]
        return self._entries[self._chosen] if self._chosen < len(self._entries) else ""
