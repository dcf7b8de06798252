"""Stands in for ingest/loading/conversion_child.py: what it is to do stands in the file that it converts."""

from __future__ import annotations

import os
import time

import olefile

from app.sandbox.channel import Channel
from ingest.loading.refusals import CORRUPT


def main(channel: Channel, program: str, suffix: str, today: str) -> None:
    with olefile.OleFileIO(channel.paths["document"]) as ole:
        if ole.exists("Hang"):
            time.sleep(600)
        if ole.exists("Abort"):
            os.kill(os.getpid(), 11)
        if ole.exists("Greedy"):
            raise MemoryError
        if not ole.exists("Today"):
            channel.send({"error": {"code": CORRUPT.document_code, "detail": CORRUPT.detail}})
            return
        content = ole.openstream("Today").read()
    (channel.paths["work"] / f"document{today}").write_bytes(content)
    channel.send({})
