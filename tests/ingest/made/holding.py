"""Files that hold others."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage


def mail(*attachments: tuple[str, bytes], text: str = "See the papers. 붙임을 보라.") -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["Message-ID"] = "papers", "kim@example.org", "<1@example.org>"
    message.set_content(text)
    for name, content in attachments:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
