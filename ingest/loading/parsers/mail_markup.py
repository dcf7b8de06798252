"""Reads texts of mail in the markup that was there before HTML, and those whose encoding is not what they declare."""

from __future__ import annotations

import binascii
import re
from email.message import Message

ENRICHED, RICH = "text/enriched", "text/richtext"
PARAMETER = re.compile(r"<param>.*?</param>", re.DOTALL | re.IGNORECASE)
# A doubled sign stands for itself; then commands.
COMMAND = re.compile(r"<(?:(<)|/?([A-Za-z0-9-]{1,60})>)")
LINE_ENDS = re.compile(r"\r?\n(?:\r?\n)*")
BREAKS = {"nl": "\n", "np": "\n\n", "lt": "<"}
BASE64_LINE = re.compile(r"[A-Za-z0-9+/=\s]*")


def enriched(text: str) -> str:
    """Return the text without its commands. Of line ends that follow each other the first is a space (RFC 1896)."""
    joined = LINE_ENDS.sub(lambda ends: "\n" * (ends[0].count("\n") - 1) or " ", text)
    return COMMAND.sub(lambda found: found[1] or "", PARAMETER.sub("", joined))


def rich(text: str) -> str:
    """Return the text without its commands, some of which are line ends (RFC 1341)."""
    joined = " ".join(text.split())
    return COMMAND.sub(lambda found: found[1] or BREAKS.get(found[2].lower(), ""), joined)


def content_of(part: Message) -> bytes:
    """Return the bytes of a text. What a mailing list writes below Base64 is not encoded, nor is what only says so."""
    content, raw = part.get_payload(decode=True), part.get_payload()
    declared = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if declared == "base64" and isinstance(raw, str):
        lines = raw.splitlines(keepends=True)
        end = next((at for at, line in enumerate(lines) if not BASE64_LINE.fullmatch(line)), len(lines))
        encoded, rest = "".join(lines[:end]), "".join(lines[end:])
        if rest.strip():
            return _decoded(encoded) + b"\n" + rest.encode("utf-8", "surrogateescape")
    return content if isinstance(content, bytes) else b""


def _decoded(encoded: str) -> bytes:
    try:
        return binascii.a2b_base64(encoded)
    except binascii.Error:
        return encoded.encode()
