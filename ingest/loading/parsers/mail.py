"""Reads mail: headers, every text in its order, forwarded mail, and what is attached.

What is attached becomes documents of their own; here it is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Self

from app.errors import DocumentError
from ingest.loading.charset import decode
from ingest.loading.formats import notices_of
from ingest.loading.parsed import Member, Notice, Options, Page, Parsed
from ingest.loading.parsers import html
from ingest.loading.parsers.mail_headers import filename, header, name_for
from ingest.loading.parsers.mail_markup import ENRICHED, RICH, content_of, enriched, rich
from ingest.loading.parsers.mail_texts import better, calendar, same, unflowed
from ingest.loading.parsers.member_paths import Paths

SHOWN = ("From", "To", "Cc", "Date", "Subject")
PLAIN, HTML = "text/plain", "text/html"
CALENDARS = ("text/calendar", "application/ics")
MARKED_UP = (HTML, "application/xhtml+xml", "text/x-amp-html")
BODIES = (PLAIN, *MARKED_UP, ENRICHED, RICH, "text/rfc822-headers")
OWN_DOCUMENTS = ("text/rtf", "text/xml")
SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
SEALED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
ARMOUR = re.compile(r"-----BEGIN PGP (MESSAGE|SIGNATURE)-----.*?(?:-----END PGP \1-----|\Z)", re.DOTALL)
PACKED = "Outlook has packed attachments into this part, which Kyujang does not unpack. Send the mail as .msg instead."
ENCRYPTED = "This part is encrypted, or signed in a form that hides it. Send it decrypted."
PICTURES = "The mail holds pictures between its texts, whose content is not read: {}."


@dataclass
class Mail:
    """What a message, or a part of one, holds."""

    options: Options
    blocks: list[str] = field(default_factory=list)
    unnamed: list[Message] = field(default_factory=list)
    """What is attached to the message that is being added."""
    attachments: list[tuple[str, Message]] = field(default_factory=list)
    paths: Paths = field(default_factory=Paths)
    calendars: set[str] = field(default_factory=set)
    pictures: int = 0
    warnings: list[Notice] = field(default_factory=list)

    def add(self, message: Message) -> None:
        """Add a message: its headers, its parts, and the names of what is attached to it."""
        shown = (f"{name}: {value}" for name in SHOWN if (value := header(message, name.lower())))
        self.blocks.append("\n".join(shown))
        self._add_part(message, first=True)
        for number, part in enumerate(self.unnamed, start=1):
            name = self.paths.add(filename(part) or name_for(part, number))
            self.attachments.append((name, part))
            self.blocks.append(f"Attachment: {name}")
        self.unnamed = []

    def _add_part(self, part: Message, *, first: bool = False) -> None:
        """Add a part; `first`: no text of its message came before it."""
        kind = part.get_content_type()
        if reason := _unread(part, kind):
            self.warnings.append(Notice("attachment_skipped", reason, part=filename(part) or kind))
        elif kind == "message/delivery-status":
            self._add_text("\n\n".join("\n".join(f"{k}: {v}" for k, v in each.items()) for each in _parts(part)))
        elif part.get_content_maintype() == "message" and part.is_multipart():
            for message in _forwarded(part):
                self.add(message)
        elif part.is_multipart():
            self._add_parts(part, first=first)
        elif kind in CALENDARS:
            self._add_calendar(self._text(part, kind))
        elif _is_body(part, kind, first=first):
            self._add_text(self._text(part, kind))
        elif part.get_content_maintype() == "image" and part.get_content_disposition() != "attachment":
            self.pictures += 1
        elif kind not in SIGNATURES:
            self.unnamed.append(part)

    def _add_parts(self, part: Message, *, first: bool) -> None:
        versions = [self._version(each, first=first and number == 0) for number, each in enumerate(_parts(part))]
        kinds = [_leading(each) for each in _parts(part)]
        alternative = part.get_content_subtype() == "alternative"
        skipped: set[int] = set()
        told: list[str] = []
        for number, version in enumerate(versions):
            text = version.text
            other = _partner(kinds, number, everywhere=alternative)
            if number not in skipped and other is not None:
                marked_up = versions[other].text
                # Some programs declare two versions of one text as two texts.
                if alternative or same(text, marked_up):
                    text = better(text, marked_up) if kinds[number] == PLAIN else better(marked_up, text)
                    skipped.add(other)
            if number not in skipped and not (alternative and any(same(text, each) for each in told)):
                self._add_text(text)
                told.append(text)
            self._absorb(version)

    def _version(self, part: Message, *, first: bool) -> Self:
        version = type(self)(self.options, paths=self.paths, calendars=self.calendars)
        version._add_part(part, first=first)
        return version

    def _absorb(self, version: Mail) -> None:
        self.unnamed += version.unnamed
        self.attachments += version.attachments
        self.pictures += version.pictures
        self.warnings += version.warnings

    @property
    def text(self) -> str:
        return "\n\n".join(block.strip("\n") for block in self.blocks if block.strip())

    def _add_text(self, text: str) -> None:
        if "PGP MESSAGE" in {f"PGP {found[1]}" for found in ARMOUR.finditer(text)}:
            self.warnings.append(Notice("attachment_skipped", ENCRYPTED, part="text"))
        text = ARMOUR.sub("", text)
        if text.strip():
            self.blocks.append(text)

    def _add_calendar(self, text: str) -> None:
        """Add an invitation once: it comes as text and again as a file."""
        if text not in self.calendars:
            self.calendars.add(text)
            self._add_text(text)

    def _text(self, part: Message, kind: str) -> str:
        decoded = decode(content_of(part), part.get_content_charset())
        if decoded is None:
            return ""
        self.warnings += notices_of(decoded)
        text = decoded.text
        if kind in MARKED_UP:
            parsed = html.read(text, self.options)
            self.warnings += parsed.warnings
            return parsed.text
        if kind in CALENDARS:
            return calendar(text)
        if kind in (ENRICHED, RICH):
            return enriched(text) if kind == ENRICHED else rich(text)
        if _parameter(part, "format") == "flowed":
            return unflowed(text, delsp=_parameter(part, "delsp") == "yes")
        return text


def read(path: Path, options: Options) -> Parsed:
    mail, subject = _opened(path, options)
    if len(mail.blocks) == 1 and any(notice.detail == ENCRYPTED for notice in mail.warnings):
        raise DocumentError("encrypted", "The mail is encrypted. Send it decrypted.")
    warnings = list(mail.warnings)
    if mail.pictures:
        warnings.append(Notice("picture_without_text", PICTURES.format(mail.pictures)))
    return Parsed(subject, [Page(None, mail.text)], warnings, has_members=bool(mail.attachments))


def members(path: Path, options: Options) -> Iterator[Member]:
    """Yield what is attached to the mail and to what it forwards."""
    mail, _ = _opened(path, options)
    for name, part in mail.attachments:
        content = part.get_payload(decode=True)
        sent = content if isinstance(content, bytes) else b""
        yield Member(name, len(sent), partial(bytes, sent), part.get_content_type())


def _opened(path: Path, options: Options) -> tuple[Mail, str]:
    message, mail = message_from_bytes(path.read_bytes()), Mail(options)
    mail.add(message)
    return mail, header(message, "subject")


def _unread(part: Message, kind: str) -> str | None:
    if kind in TNEF or filename(part).lower() == "winmail.dat":
        return PACKED
    return ENCRYPTED if kind in SEALED else None


def _parts(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _leading(part: Message) -> str:
    """Return the kind of the first part that is not divided further."""
    while part.is_multipart() and _parts(part):
        part = _parts(part)[0]
    return part.get_content_type() if part.get_content_disposition() != "attachment" else ""


def _partner(kinds: list[str], number: int, *, everywhere: bool) -> int | None:
    """Return the later part that may be the HTML of this plain text, or the other way round."""
    if kinds[number] not in (PLAIN, HTML):
        return None
    wanted = HTML if kinds[number] == PLAIN else PLAIN
    last = len(kinds) if everywhere else number + 2
    return next((other for other in range(number + 1, min(last, len(kinds))) if kinds[other] == wanted), None)


def _is_body(part: Message, kind: str, *, first: bool) -> bool:
    disposition = part.get_content_disposition()
    if disposition == "attachment":
        return False
    # A part that is declared to be divided and is not is read as text.
    named = bool(filename(part)) and disposition != "inline" and not first
    # A mail that is a text of a kind that nobody knows is shown as plain text.
    unknown = kind.startswith("text/") and kind not in OWN_DOCUMENTS
    is_text = kind in BODIES or (first and unknown and not filename(part))
    return kind.startswith("multipart/") or (is_text and not named)


def _forwarded(part: Message) -> list[Message]:
    inner = _parts(part)
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding in ("base64", "quoted-printable") and inner and not inner[0].keys():
        # Not allowed, and met: the parser has taken the encoded lines for a message.
        encoded = Message()
        encoded["Content-Transfer-Encoding"] = encoding
        encoded.set_payload(inner[0].get_payload())
        content = encoded.get_payload(decode=True)
        return [message_from_bytes(content)] if isinstance(content, bytes) else []
    return inner


def _parameter(part: Message, name: str) -> str:
    return str(part.get_param(name, "")).lower()
