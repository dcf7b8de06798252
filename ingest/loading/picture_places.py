"""Takes the marks of pictures out of a page's text, and sets in what a model says of them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.storage.origins import MADE, Run, pack, runs_within, unpack
from ingest.loading.parsed import NotedPicture, Page, Picture
from ingest.loading.picture_marks import (
    AFTER,
    BEFORE,
    CAPTION_BEGINS,
    MARK,
    MAX_SAID,
    NOTED,
    SHOWN_END,
    WAITING,
)

MARKS = re.compile(f"{MARK}(?: ?{MARK})*")
# White space around marks that stand alone, and between a picture and its caption.
AROUND = ("", "\n", " ")
MAX_BLANK = 9
BREAK = "\n\n"


def taken_out(page: Page, noted: Sequence[NotedPicture]) -> Page:
    """Return the page without marks, and with the pictures that they stand for."""
    if BEFORE not in page.text:
        return page
    taking = _Taking(page.text, noted)
    for marks in MARKS.finditer(page.text):
        taking.take(marks)
    text = taking.finish()
    return replace(page, text=text, origins=b"", pictures=(*page.pictures, *taking.pictures(text)))


@dataclass(slots=True)
class _Taking:
    """`at` is how far the text is read, `length` how much of it is kept, and `line` where the last line begins of those
    that begin before `looked`."""

    text: str
    noted: Sequence[NotedPicture]
    at: int = 0
    length: int = 0
    line: int = 0
    looked: int = 0
    parts: list[str] = field(default_factory=list)
    found: list[NotedPicture] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    captions: list[int] = field(default_factory=list)

    def take(self, marks: re.Match[str]) -> None:
        start, stop = self._with_blanks(*marks.span())
        self._keep(start)
        self.at = stop
        for mark in marks[0].split(BEFORE)[1:]:
            kind, number = mark[:1], mark[1:].partition(AFTER)[0]
            if kind in (NOTED, WAITING):
                self._add(number)
            elif kind == SHOWN_END and self.stops:
                self.stops[-1] = self.length
            elif kind == CAPTION_BEGINS:
                self.captions.append(self.length)

    def finish(self) -> str:
        self._keep(len(self.text))
        return "".join(self.parts)

    def pictures(self, text: str) -> Iterator[Picture]:
        captions = _captions(text, self.starts, self.stops, self.captions)
        for number, (name, width, height, unit, alt) in enumerate(self.found):
            place, caption = (self.starts[number], self.stops[number]), captions.get(number, "")
            yield Picture(*place, None, width, height, unit, alt, caption, name=name)

    def _add(self, number: str) -> None:
        """Take a picture, but none of a mark that the file itself holds."""
        if number.isdecimal() and int(number) < len(self.noted):
            self.found.append(self.noted[int(number)])
            self.starts.append(self.length)
            self.stops.append(self.length)

    def _keep(self, stop: int) -> None:
        self.parts.append(self.text[self.at : stop])
        self.length += stop - self.at

    def _with_blanks(self, start: int, stop: int) -> tuple[int, int]:
        """Return what leaves with the marks: the lines around those that stand alone, or the second of two spaces."""
        text = self.text
        left, right = text[start - 1 : start] if start else "", text[stop : stop + 1]
        if left not in AROUND or right not in AROUND:
            return start, stop
        self.line = max(self.line, text.rfind("\n", self.looked, start) + 1)
        in_row = text.startswith("|", self.line)
        if left != " " and right != " ":
            blank = text[max(self.at, start - MAX_BLANK) : start]
            start -= len(blank) - len(blank.rstrip("\n"))
            if self.length + start == self.at:
                blank = text[stop : stop + MAX_BLANK]
                stop += len(blank) - len(blank.lstrip("\n"))
        elif left == " " and right != " " and self.at < start and not in_row:
            start -= 1
        elif right == " ":
            is_cell = in_row and text[max(start - 2, 0) : start] == "| " and text[stop : stop + 2] == " |"
            stop += not is_cell
        self.looked = stop
        return start, stop


def _captions(text: str, starts: list[int], stops: list[int], captions: Sequence[int]) -> dict[int, str]:
    """Return each caption by the number of the picture before it, or after it, if nothing stands between."""
    found: dict[int, str] = {}
    for start in captions:
        stop = _line_end(text, start)
        before, after = bisect_right(stops, start) - 1, bisect_left(starts, stop)
        near = [before] if before >= 0 and _is_blank(text, stops[before], start) else []
        near += [after] if after < len(starts) and _is_blank(text, stop, starts[after]) else []
        number = next((each for each in near if not found.get(each)), None)
        if number is not None:
            found[number] = text[start:stop].strip()
    return found


def _line_end(text: str, start: int) -> int:
    """Return where the line or the cell ends, of at most as many characters as are kept."""
    most = min(start + MAX_SAID, len(text))
    line = text.find("\n", start, most)
    stop = most if line < 0 else line
    in_row = text.startswith("|", text.rfind("\n", max(0, start - MAX_SAID), start) + 1)
    cell = text.find(" |", start, stop) if in_row else -1
    return stop if cell < 0 else cell


def _is_blank(text: str, start: int, stop: int) -> bool:
    return stop - start <= MAX_BLANK and not text[start:stop].strip()


def with_texts(page: Page, texts: Mapping[str, str]) -> Page:
    """Return the page with what is said of pictures for which nothing stands, by their names."""
    said = [texts.get(each.name, "") if each.start == each.stop else "" for each in page.pictures]
    if not any(said):
        return page
    setting = _Setting(page.text, list(unpack(page.origins)))
    pictures = [setting.set_in(*both) for both in zip(page.pictures, said, strict=True)]
    setting.copy(len(page.text))
    origins = pack(setting.runs) if page.origins else b""
    return replace(page, text="".join(setting.parts), origins=origins, pictures=tuple(pictures))


@dataclass(slots=True)
class _Setting:
    """`at` is how far the text is copied, `length` how long the new one is."""

    text: str
    old: list[Run]
    at: int = 0
    length: int = 0
    parts: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def set_in(self, picture: Picture, said: str) -> Picture:
        """Write what is said, as a paragraph or in its cell, and return where."""
        self.copy(picture.start)
        left, right = self.text[max(self.at - 1, 0) : self.at], self.text[self.at : self.at + 1]
        is_alone = left in ("", "\n") or right in ("", "\n")
        if said and is_alone and self.length:
            self._write(BREAK)
        first = self.length
        if not said:
            self.copy(picture.stop)
            return replace(picture, start=first, stop=self.length)
        in_row = self.text.startswith("|", self.text.rfind("\n", 0, self.at) + 1)
        self._write(said.replace("|", r"\|") if in_row else said)
        stop = self.length
        if is_alone and right not in ("", "\n"):
            self._write(BREAK)
        return replace(picture, start=first, stop=stop, described=True)

    def copy(self, stop: int) -> None:
        self.runs += runs_within(self.old, self.at, stop)
        self.parts.append(self.text[self.at : stop])
        self.length += stop - self.at
        self.at = stop

    def _write(self, text: str) -> None:
        self.runs.append((len(text), MADE))
        self.parts.append(text)
        self.length += len(text)
