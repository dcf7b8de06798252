"""Reads mail: headers and text, the names of attachments, and the text of forwarded mail."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast

from ingest.loading.charset import decode
from ingest.loading.parsed import Options, Parsed, without_pages
from ingest.loading.parsers import html

SHOWN = ("From", "To", "Cc", "Date", "Subject")
# Korean programs mean Microsoft's larger set by these.
ENCODED_WORD = re.compile(rb"=\?(?:euc-kr|ks_c_5601-1987|ksc5601)\?", re.IGNORECASE)


def read(path: Path, options: Options) -> Parsed:
    content = ENCODED_WORD.sub(b"=?cp949?", path.read_bytes())
    message = message_from_bytes(content, policy=policy.default)
    return without_pages(_header(message, "Subject"), "\n\n".join(_blocks(message, options)))


def _blocks(message: EmailMessage, options: Options) -> list[str]:
    headers = [f"{name}: {value}" for name in SHOWN if (value := _header(message, name))]
    blocks = ["\n".join(headers), _body(message, options)]
    for part in message.iter_attachments():
        if part.get_content_type() == "message/rfc822":
            blocks += _blocks(cast(EmailMessage, part.get_content()), options)
        elif name := part.get_filename():
            blocks.append(f"Attachment: {name}")
    return blocks


def _header(message: EmailMessage, name: str) -> str | None:
    value = message.get(name)
    return " ".join(str(value).split()) if value else None


def _body(message: EmailMessage, options: Options) -> str:
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None:
        return ""
    text = decode(cast(bytes, body.get_payload(decode=True)) or b"", body.get_content_charset()) or ""
    return html.read(text, options).text if body.get_content_subtype() == "html" else text
