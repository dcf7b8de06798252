"""Decodes the headers of mail: encoded words and raw bytes, in the charsets they are in rather than those declared."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from email.message import Message

from ingest.loading.charset import ALIASES, decoded_text

WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bq])\?([^?]*)\?=", re.IGNORECASE)
BETWEEN = re.compile(r"(\?=)[ \t\r\n]+(?==\?)")
ONE_BYTE = ("us-ascii", "iso-8859", "latin", "windows", "unknown")
LINE_ENDS = re.compile(r"\s+")
# The generic names of parts without one; mimetypes would have `.ksh` for text.
ENDINGS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "message/rfc822": ".eml",
}


def header(message: Message, name: str) -> str:
    """Return the header's text on one line, empty if there is none."""
    text = BETWEEN.sub(r"\1", _sent(message, name))
    return LINE_ENDS.sub(" ", _without_words(text)).strip()


def _sent(message: Message, name: str) -> str:
    """Return the header with its raw bytes decoded: perhaps in the charset of the body, else in what fits."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name), "")
    if raw.isascii():
        return raw
    content = raw.encode("utf-8", "surrogateescape")
    charset = None if name.startswith("content-") else message.get_content_charset()
    return decoded_text(content) or decoded_text(content, charset) or content.decode("utf-8", "replace")


def _without_words(text: str) -> str:
    parts: list[str] = []
    pending, charset, end = b"", "", 0
    for word in WORD.finditer(text):
        between = text[end : word.start()]
        # A character may begin in one word and end in the next.
        if between or word[1].lower() != charset:
            parts += [_word(pending, charset), between]
            pending, charset = b"", word[1].lower()
        pending += _bytes_of(word[2], word[3])
        end = word.end()
    return "".join([*parts, _word(pending, charset), text[end:]])


def _bytes_of(encoding: str, content: str) -> bytes:
    sent = content.encode("utf-8")
    try:
        return a2b_qp(sent, header=True) if encoding in "qQ" else a2b_base64(sent + b"=" * (-len(sent) % 4))
    except Error:
        return sent


def _word(content: bytes, charset: str) -> str:
    try:
        # What has more than a byte for a character rarely decodes by accident.
        if content and not charset.startswith(ONE_BYTE):
            return content.decode(ALIASES.get(charset, charset))
    except (UnicodeError, LookupError):
        pass
    return decoded_text(content, charset) or content.decode("utf-8", "replace") if content else ""


def filename(part: Message) -> str:
    """Return the name that an attachment was given, empty if it has none."""
    for key, name in (("content-disposition", "filename"), ("content-type", "name")):
        header = Message()
        header[key] = _sent(part, key)
        value = header.get_param(name, header=key)
        if isinstance(value, tuple):
            # RFC 2231: bytes, which the parser made characters of.
            text = _word(value[2].encode("latin-1", "replace"), (value[0] or "").lower())
        else:
            text = _without_words(BETWEEN.sub(r"\1", value or ""))
        if text.strip():
            return LINE_ENDS.sub(" ", text).strip()
    return ""


def name_for(part: Message, number: int) -> str:
    """Return a name for an attachment without one."""
    return f"part-{number}{ENDINGS.get(part.get_content_type(), '.bin')}"
