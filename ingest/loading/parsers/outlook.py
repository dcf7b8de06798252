"""Reads messages that Outlook has saved (.msg): an OLE file with a stream for each property."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from ingest.loading.charset import decoded_text
from ingest.loading.parsed import Member, Notice, Options, Page, Parsed
from ingest.loading.parsers import html
from ingest.loading.parsers.mail_texts import better
from ingest.loading.parsers.member_paths import Paths
from ingest.loading.parsers.rtf import document as rtf
from ingest.loading.parsers.rtf.compression import decompressed
from ingest.loading.parsers.rtf.tokens import tokens

PROPERTIES = "__properties_version1.0"
ATTACHMENT = "__attach_version1.0_"
CLASS, SUBJECT, BODY, RTF, HTML = 0x001A, 0x0037, 0x1000, 0x1009, 0x1013
SENDER, SENDER_SMTP, SENDER_ADDRESS, TO, CC = 0x0C1A, 0x5D01, 0x0C1F, 0x0E04, 0x0E03
SENT, DELIVERED, CODE_PAGE, HTML_CODE_PAGE = 0x0039, 0x0E06, 0x3FFD, 0x3FDE
START, END = 0x0060, 0x0061
MEETINGS = ("IPM.APPOINTMENT", "IPM.SCHEDULE")
DATA, METHOD, LONG_NAME, NAME, MEDIA_TYPE, CONTENT_ID = 0x3701, 0x3705, 0x3707, 0x3704, 0x370E, 0x3712
IN_MESSAGE, OF_OLE = 5, 6
TEXT, ANSI, BINARY, OBJECT = 0x001F, 0x001E, 0x0102, 0x000D
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
MAX_DEPTH = 20
OBJECT_SKIPPED = "An object of another program is embedded here and is not read. Save it as a file and attach that."
DAMAGED_TEXT = "The text of the message is damaged and was not read. Send the message as .eml."
TOO_DEEP = f"Messages inside messages are read {MAX_DEPTH} deep. Send this one by itself."
PICTURES = "The message holds {} pictures between its texts, whose content is not read."
ENCRYPTED = DocumentError(
    "encrypted", "The message is encrypted, or signed in a form that hides it. Send it as .eml, decrypted."
)


class _Folder:
    """A storage of the file: a message, or an attachment. `head` bytes come before its properties of fixed size."""

    def __init__(self, ole: Any, path: tuple[str, ...], head: int) -> None:
        self._ole, self._path = ole, path
        content = self._stream(PROPERTIES)[head:]
        self._fixed = {
            struct.unpack_from("<H", content, place + 2)[0]: content[place + 8 : place + 16]
            for place in range(0, len(content) - 15, 16)
        }

    def _stream(self, name: str) -> bytes:
        place = [*self._path, name]
        return bytes(self._ole.openstream(place).read()) if self._ole.get_type(place) == 2 else b""

    def data(self, property_: int, kind: int = BINARY) -> bytes:
        return self._stream(f"__substg1.0_{property_:04X}{kind:04X}")

    def text(self, property_: int) -> str:
        wide = self.data(property_, TEXT)
        narrow = b"" if wide else self.data(property_, ANSI).rstrip(b"\0")
        text = wide.decode("utf-16-le", "replace") if wide else decoded_text(narrow, self.charset(CODE_PAGE)) or ""
        return text.rstrip("\0").strip()

    def number(self, property_: int) -> int:
        return int.from_bytes(self._fixed.get(property_, b"")[:4], "little")

    def charset(self, property_: int) -> str | None:
        page = self.number(property_)
        return {0: None, 65001: "utf-8", 51949: "euc-kr"}.get(page, f"cp{page}")

    def time(self, property_: int) -> str:
        ticks = int.from_bytes(self._fixed.get(property_, b""), "little")
        try:
            return f"{EPOCH + timedelta(microseconds=ticks // 10):%Y-%m-%d %H:%M} UTC" if ticks else ""
        except OverflowError:
            return ""

    def attachments(self) -> Iterator[_Folder]:
        depth = len(self._path)
        folders = self._ole.listdir(streams=False, storages=True)
        inside = {path[depth] for path in folders if tuple(path[:depth]) == self._path and len(path) > depth}
        for name in sorted(each for each in inside if each.startswith(ATTACHMENT)):
            yield _Folder(self._ole, (*self._path, name), head=8)

    def message(self) -> _Folder | None:
        """Return the message that is attached, if this attachment is one."""
        name = f"__substg1.0_{DATA:04X}{OBJECT:04X}"
        held = self.number(METHOD) == IN_MESSAGE and self._ole.get_type([*self._path, name]) == 1
        return _Folder(self._ole, (*self._path, name), head=24) if held else None


@dataclass
class _Message:
    options: Options
    blocks: list[str] = field(default_factory=list)
    attachments: list[tuple[str, _Folder]] = field(default_factory=list)
    paths: Paths = field(default_factory=Paths)
    pictures: int = 0
    warnings: list[Notice] = field(default_factory=list)

    def add(self, folder: _Folder, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            self.warnings.append(Notice("attachment_skipped", TOO_DEEP, part=folder.text(SUBJECT) or None))
            return
        sender, address = folder.text(SENDER), folder.text(SENDER_SMTP) or folder.text(SENDER_ADDRESS)
        shown = {
            "From": f"{sender} <{address}>" if "@" in address and address != sender else sender or address,
            "To": folder.text(TO),
            "Cc": folder.text(CC),
            "Date": folder.time(SENT) or folder.time(DELIVERED),
            "Subject": folder.text(SUBJECT),
        }
        if folder.text(CLASS).upper().startswith(MEETINGS):
            shown |= {"Start": folder.time(START), "End": folder.time(END)}
        self.blocks.append("\n".join(f"{name}: {value}" for name, value in shown.items() if value))
        self.blocks.append(self._body(folder))
        for attachment in folder.attachments():
            self._add_attachment(attachment, depth)

    def _body(self, folder: _Folder) -> str:
        plain = folder.text(BODY)
        marked_up = decoded_text(folder.data(HTML).rstrip(b"\0"), folder.charset(HTML_CODE_PAGE)) or folder.text(HTML)
        if not plain and not marked_up and (compressed := folder.data(RTF)):
            return self._rich_text(compressed)
        if not marked_up:
            return plain
        parsed = html.read(marked_up, self.options)
        self.warnings += parsed.warnings
        return better(plain, parsed.text)

    def _rich_text(self, compressed: bytes) -> str:
        reader = rtf.Reader(mark_hidden=self.options.hidden_parts == "mark")
        try:
            content = decompressed(compressed)
        except ValueError:
            self.warnings.append(Notice("attachment_skipped", DAMAGED_TEXT, part="text"))
            return ""
        for token in tokens(content):
            reader.take(token)
        self.warnings += reader.notices()
        return reader.text()

    def _add_attachment(self, attachment: _Folder, depth: int) -> None:
        name = attachment.text(LONG_NAME) or attachment.text(NAME) or "attachment"
        if (message := attachment.message()) is not None:
            self.add(message, depth + 1)
        elif attachment.number(METHOD) == OF_OLE:
            self.warnings.append(Notice("embedded_object_skipped", OBJECT_SKIPPED, part=name))
        elif attachment.text(CONTENT_ID) and attachment.text(MEDIA_TYPE).startswith("image/"):
            self.pictures += 1
        else:
            self.attachments.append((self.paths.add(name), attachment))
            self.blocks.append(f"Attachment: {self.attachments[-1][0]}")


def read(path: Path, options: Options) -> Parsed:
    with _opened(path) as folder:
        if "SMIME" in folder.text(CLASS).upper():
            raise ENCRYPTED
        message = _Message(options)
        message.add(folder)
        text = "\n\n".join(block for block in message.blocks if block.strip())
        if message.pictures:
            message.warnings.append(Notice("picture_without_text", PICTURES.format(message.pictures)))
        held = bool(message.attachments)
        return Parsed(folder.text(SUBJECT), [Page(None, text)], message.warnings, has_members=held)


def members(path: Path, options: Options) -> Iterator[Member]:
    with _opened(path) as folder:
        message = _Message(options)
        message.add(folder)
        for name, attachment in message.attachments:
            content = attachment.data(DATA)
            yield Member(name, len(content), partial(bytes, content), attachment.text(MEDIA_TYPE) or None)


@contextmanager
def _opened(path: Path) -> Iterator[_Folder]:
    import olefile

    with olefile.OleFileIO(path) as ole:
        yield _Folder(ole, (), head=32)
