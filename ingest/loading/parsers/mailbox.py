"""Reads mailboxes (mbox): the text lists the messages, each of which becomes a document of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from email import message_from_bytes
from functools import partial
from pathlib import Path

from ingest.loading.mail_formats import EML, MBOX_START
from ingest.loading.parsed import Member, Options, Page, Parsed
from ingest.loading.parsers.mail_headers import header
from ingest.loading.parsers.member_paths import Paths

QUOTED = re.compile(rb"^>(?=>*From )", re.MULTILINE)
HEAD_END = re.compile(rb"\r?\n\r?\n")


def read(path: Path, _: Options) -> Parsed:
    lines = []
    for content in _messages(path):
        message = message_from_bytes(_head(content))
        said = [header(message, name) for name in ("subject", "from", "date")]
        lines.append(" · ".join(each for each in said if each))
    return Parsed(None, [Page(None, "\n".join(lines))], has_members=True)


def members(path: Path, _: Options) -> Iterator[Member]:
    """Yield the messages, named by their ids, so that each keeps its name when others come or go."""
    paths = Paths()
    for content in _messages(path):
        message_id = header(message_from_bytes(_head(content)), "message-id").strip("<>")
        name = message_id.replace("/", "_") or hashlib.sha256(content).hexdigest()[:32]
        yield Member(paths.add(f"{name}.eml"), len(content), partial(bytes, content), EML)


def _messages(path: Path) -> Iterator[bytes]:
    lines: list[bytes] = []
    after_blank = True
    with path.open("rb") as file:
        for line in file:
            if after_blank and MBOX_START.match(line):
                yield from _unquoted(lines)
                lines = []
            else:
                lines.append(line)
            after_blank = not line.strip()
    yield from _unquoted(lines)


def _unquoted(lines: list[bytes]) -> Iterator[bytes]:
    if content := b"".join(lines).strip(b"\r\n"):
        yield QUOTED.sub(b"", content)


def _head(content: bytes) -> bytes:
    end = HEAD_END.search(content)
    return content[: end.start()] if end else content
