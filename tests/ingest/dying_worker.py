"""The worker, which notes each page that it begins to read and is killed so many seconds after it began a page.

python -m tests.ingest.dying_worker FILE PAGE SECONDS
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import ingest.__main__ as command
from ingest import scans
from ingest.ocr.reader import OcrReader, PageRead


class NotingReader(OcrReader):
    async def read(self, number: int) -> PageRead:
        begin(number)
        return await super().read(number)


def begin(number: int) -> None:
    file, page, seconds = sys.argv[1:]
    with Path(file).open("a") as notes:
        notes.write(f"{os.getpid()} {number}\n")
    if number >= int(page):
        threading.Timer(float(seconds), os.kill, (os.getpid(), signal.SIGKILL)).start()


if __name__ == "__main__":
    scans.OcrReader = NotingReader  # type: ignore[misc]
    # Nothing else is to come first.
    command.NICENESS = 0
    sys.exit(command.main(["worker"]))
