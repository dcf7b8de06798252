"""The child that has LibreOffice convert a file. Started by ingest/loading/conversion.py.

LibreOffice runs as a library in this process, which may start no other: nothing of it outlives the process.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from app.sandbox.channel import Channel
from app.sandbox.limits import SPARE, can_have
from ingest.loading.libreoffice_kit import convert
from ingest.loading.parsers import DAMAGE
from ingest.loading.parsers.old_office import is_encrypted
from ingest.loading.refusals import CORRUPT, ENCRYPTED

# LibreOffice takes so much to start, and with less it fails in ways that look like damage.
START = 512 << 20


def main(channel: Channel, program: str, suffix: str, today: str) -> None:
    if not can_have(START):
        raise MemoryError
    # LibreOffice takes no link of /proc for a folder.
    work = channel.paths["work"].resolve()
    os.environ["HOME"] = os.environ["TMPDIR"] = str(work)
    document, result = work / f"document{suffix}", work / f"document{today}"
    shutil.copyfile(channel.paths["document"], document)
    if convert(Path(program), document, result, profile=work / "profile"):
        channel.send({})
        return
    if not can_have(SPARE):
        raise MemoryError
    refused = CORRUPT
    with suppress(*DAMAGE):
        refused = ENCRYPTED if is_encrypted(document) else CORRUPT
    channel.send({"error": {"code": refused.document_code, "detail": refused.detail}})
