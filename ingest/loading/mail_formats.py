"""Tells mail and mailboxes from letters and other text, by their headers."""

from __future__ import annotations

import re

EML = "message/rfc822"
MBOX = "application/mbox"
HEADER = re.compile(rb"(?:[!-9;-~]{1,80}:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)+")
# The line before each message of a mailbox: who sent it, and when it came.
MBOX_START = re.compile(rb"From \S{1,320} [^\r\n]{0,60}\d\d:\d\d[^\r\n]{0,60}\d{4}[^\r\n]{0,40}\r?\n")
# A letter that merely quotes mail has none of these.
SENT = re.compile(rb"^(?:Message-ID|MIME-Version|Received|Return-Path|DKIM-Signature):", re.IGNORECASE | re.MULTILINE)
ABOUT = re.compile(rb"^(?:From|Subject|Date):", re.IGNORECASE | re.MULTILINE)


def kind_of_mail(head: bytes, filename: str, media_type: str) -> str | None:
    if (start := MBOX_START.match(head)) and ABOUT.search(_header(head[start.end() :])):
        return MBOX
    return EML if _is_mail(head, filename, media_type) else None


def _header(head: bytes) -> bytes:
    found = HEADER.match(head)
    return found.group() if found else b""


def _is_mail(head: bytes, filename: str, media_type: str) -> bool:
    header = _header(head)
    if not ABOUT.search(header):
        return False
    return filename.endswith(".eml") or media_type == EML or SENT.search(header) is not None
