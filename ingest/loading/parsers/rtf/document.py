"""Reads an RTF document: its paragraphs, tables, notes, headers and footers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ingest.loading.parsed import Notice, Options, Parsed
from ingest.loading.parsed import Page as TextPage
from ingest.loading.parsers import office_notices
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.rtf import groups
from ingest.loading.parsers.rtf.groups import Group
from ingest.loading.parsers.rtf.story import Story
from ingest.loading.parsers.rtf.tokens import Token, tokens
from ingest.loading.parsers.symbols import drawn, readable
from ingest.loading.parsers.titles import heading, meant

HEADING = re.compile(r"\s*(?:heading|제목) ?([1-9])\s*;?", re.IGNORECASE)
PAGE_WORDS = re.compile(r"(?:page|of|쪽|[\W_])*", re.IGNORECASE)
MAX_UNICODE = 0x10000


def read(path: Path, options: Options) -> Parsed:
    """Read the title from a heading first: the properties may keep a template's title."""
    reader = Reader(mark_hidden=options.hidden_parts == "mark")
    for token in tokens(path.read_bytes()):
        reader.take(token)
    text = reader.text()
    return Parsed(heading(text) or meant(reader.title), [TextPage(None, text)], reader.notices())


class Reader:
    def __init__(self, *, mark_hidden: bool) -> None:
        self.title = ""
        self._mark_hidden = mark_hidden
        self._story = Story()
        self._group = Group()
        self._groups: list[Group] = []
        # What is apart from the text around it: how deep it began, what it is, and its text.
        self._apart: list[tuple[int, str, list[str]]] = []
        self._margins: dict[str, dict[str, None]] = {"Header": {}, "Footer": {}}
        self._starred = False
        self._bytes = bytearray()
        self._skip = 0
        self._units: list[int] = []
        self._code_page = "cp1252"
        self._fonts: dict[int, str] = {}
        # The names of those that draw symbols.
        self._symbols: dict[int, str] = {}
        self._levels: dict[int, int] = {}
        self._style = 0
        self._instruction = ""
        self._notes = 0
        self._mark = ""
        self._pictures = self._objects = 0
        self._hides = False
        story = self._story
        self._words: dict[str, Callable[[int | None], None]] = {
            "u": self._unicode, "uc": self._fallback, "v": self._hide, "super": self._raise, "up": self._raise,
            "nosupersub": self._lower, "plain": self._plain, "f": self._font, "fcharset": self._charset,
            "ansicpg": self._ansi, "s": self._set_style, "deleted": self._delete, "outlinelevel": self._outline,
            "chftn": self._reference, **dict.fromkeys(("par", "sect"), lambda _: self._end_paragraph()),
        }  # fmt: skip
        self._layout: dict[str, Callable[[], None]] = {
            "pard": story.start_paragraph, "intbl": story.enter_table, "cell": story.end_cell, "row": story.end_row,
            "nestcell": story.end_nested, "trowd": story.define_row, "cellx": story.define_cell,
            "clvmrg": story.merge_down, "clmrg": story.merge_right, "trhdr": story.is_header_row,
        }  # fmt: skip

    def take(self, token: Token) -> None:
        if token.kind != "byte" and self._bytes:
            content, self._bytes = bytes(self._bytes), bytearray()
            self._add(self._decoded(content, self._fonts.get(self._group.font, self._code_page)))
        match token.kind:
            case "open":
                self._groups.append(replace(self._group))
                self._starred, self._skip = False, 0
            case "close":
                self._close()
            case "word":
                self._word(token.content.decode(), token.number)
                self._starred = False
            case "byte" if self._skip:
                self._skip -= 1
            case "byte":
                self._bytes.append(int(token.content, 16))
            case "sign":
                self._sign(token.content)
            case _:
                skipped, self._skip = self._skip, max(0, self._skip - len(token.content))
                self._add(self._decoded(token.content[skipped:], self._code_page))

    def _decoded(self, content: bytes, code_page: str) -> str:
        font = self._symbols.get(self._group.font)
        return drawn(content, font) if font else content.decode(code_page, "replace")

    def _sign(self, sign: bytes) -> None:
        if sign == b"*":
            self._starred = True
        elif sign in (b"\n", b"\r"):
            self._end_paragraph()
        else:
            self._add(groups.SIGNS.get(sign, ""))

    def _word(self, word: str, number: int | None) -> None:
        if self._begin(word):
            return
        if handler := self._words.get(word):
            handler(number)
        elif word in groups.CHARACTERS:
            self._add(groups.CHARACTERS[word])
        elif word in self._layout and self._group.is_text and not self._apart:
            self._layout[word]()

    def _begin(self, word: str) -> bool:
        """Tell whether the word begins a group that is not part of the text around it."""
        group = self._group
        if word in groups.SHOWN:
            unwanted = word == "fldrslt" and self._apart and groups.PAGE_FIELD.match(self._instruction)
            group.is_text = not unwanted and group.kind != "unseen"
        elif word in groups.APART and (group.is_text or group.kind == "info"):
            group.is_text = True
            self._apart.append((len(self._groups), word, []))
        elif word in groups.UNREAD or (self._starred and word not in groups.READ_STARRED):
            if group.is_text:
                self._pictures += word == "pict"
                self._objects += word == "object"
            group.is_text = False
            self._instruction = "" if word == "fldinst" else self._instruction
        else:
            return False
        group.kind = word
        return True

    def _close(self) -> None:
        if not self._groups:
            return
        depth = len(self._groups)
        self._group, self._skip = self._groups.pop(), 0
        if self._apart and self._apart[-1][0] == depth:
            _, kind, parts = self._apart.pop()
            self._end_apart(kind, "".join(parts))

    def _end_apart(self, kind: str, text: str) -> None:
        if kind in groups.MARGINS:
            lines = [" ".join(line.split()) for line in text.splitlines()]
            told = "\n".join(line for line in lines if not PAGE_WORDS.fullmatch(line))
            self._margins["Header" if kind.startswith("header") else "Footer"].update({told: None} if told else {})
        elif kind in groups.LABELS:
            label = text.strip()
            self._add(f"{'-' if groups.PLAIN_BULLET.fullmatch(label) else label} " if label else "")
        elif kind == "title":
            self.title = text.strip()
        elif kind == "footnote":
            self._story.note(self._mark or "*", text)
            self._mark = ""
        else:
            self._story.note("", text)

    def _add(self, text: str) -> None:
        if self._group.kind == "fldinst":
            self._instruction += text
        elif self._group.kind == "stylesheet" and (found := HEADING.match(text)):
            self._levels[self._style] = int(found[1])
        elif self._group.kind == "fonttbl" and self._group.font in self._symbols:
            self._symbols[self._group.font] += text.strip("; ")
        if not self._group.is_text or self._group.deleted or not text:
            return
        if self._group.hidden:
            self._hides |= bool(text.strip())
            if not self._mark_hidden:
                return
            text = marked("Hidden", text) if text.strip() else text
        if self._apart:
            self._apart[-1][2].append(text)
        else:
            self._story.parts.append((text, self._group.raised))

    def _end_paragraph(self) -> None:
        if self._apart:
            self._add("\n")
        elif self._group.is_text:
            self._story.end_paragraph()

    def _unicode(self, number: int | None) -> None:
        self._skip = self._group.fallback
        unit = (number or 0) % MAX_UNICODE
        self._units.append(unit)
        if 0xD800 <= unit < 0xDC00 and len(self._units) == 1:
            return
        pair = b"".join(each.to_bytes(2, "little") for each in self._units)
        self._units.clear()
        text = pair.decode("utf-16-le", "replace")
        self._add(readable(text, self._symbols.get(self._group.font, "")))

    def _fallback(self, number: int | None) -> None:
        self._group.fallback = min(max(number or 0, 0), 100)

    def _hide(self, number: int | None) -> None:
        self._group.hidden = number != 0

    def _delete(self, number: int | None) -> None:
        self._group.deleted = number != 0

    def _raise(self, number: int | None) -> None:
        self._group.raised = number != 0

    def _lower(self, _: int | None) -> None:
        self._group.raised = False

    def _plain(self, _: int | None) -> None:
        self._group.hidden = self._group.deleted = self._group.raised = False

    def _font(self, number: int | None) -> None:
        self._group.font = number or 0

    def _charset(self, number: int | None) -> None:
        if number == groups.SYMBOLS:
            self._symbols[self._group.font] = ""
        self._fonts[self._group.font] = groups.CODE_PAGES.get(number or 0, self._code_page)

    def _ansi(self, number: int | None) -> None:
        self._code_page = groups.code_page(number)

    def _set_style(self, number: int | None) -> None:
        self._style = number or 0
        self._story.level = self._levels.get(self._style, 0)

    def _outline(self, number: int | None) -> None:
        if self._group.is_text and not self._apart:
            self._story.level = (number or 0) + 1 if (number or 0) < 9 else 0

    def _reference(self, _: int | None) -> None:
        if not self._apart and self._group.is_text:
            self._notes += 1
            self._mark = str(self._notes)
            self._add(f"[{self._mark}]")

    def text(self) -> str:
        self._story.finish()
        headers, footers = ([marked(kind, text) for text in texts] for kind, texts in self._margins.items())
        return "\n\n".join(filter(None, [*headers, self._story.flow.text(), *footers]))

    def notices(self) -> list[Notice]:
        found = [office_notices.pictures(self._pictures)] if self._pictures else []
        found += [office_notices.embedded(self._objects)] if self._objects else []
        return found + [office_notices.hidden("hidden text")] * (self._hides and not self._mark_hidden)
