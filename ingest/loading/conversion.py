"""Turns Word, Excel and PowerPoint files of before 2007 into today's formats, by LibreOffice in a sandboxed child."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from app import libreoffice
from app.errors import DocumentError
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import open_child
from ingest.loading.endings import explain
from ingest.loading.formats import DOC, PPT, XLS

# What each is called, and its extension then and now.
FORMATS = {
    DOC: ("an old Word document (.doc)", ".doc", ".docx"),
    XLS: ("an old Excel workbook (.xls)", ".xls", ".xlsx"),
    PPT: ("an old PowerPoint presentation (.ppt)", ".ppt", ".pptx"),
}
CHILD = "ingest.loading.conversion_child"
PREFIX = "kyujang-office-"
MAX_BYTES = 1 << 30


@asynccontextmanager
async def converted(path: Path, media_type: str, *, memory_mb: int, timeout_s: float) -> AsyncIterator[Path]:
    """Yield the file in today's format. Raises DocumentError, TimeoutError and OutputError."""
    name, suffix, today = FORMATS[media_type]
    program = libreoffice.program()
    if program is None:
        why = f"This is {name}. Save it as {today} and send that, or have the operator install LibreOffice"
        raise DocumentError("unsupported_type", f"{why} (apt-get install {libreoffice.PACKAGES}).")
    with _scratch() as folder:
        limits = Limits(address_space=memory_mb << 20, cpu_s=int(timeout_s) + 1, file_size=MAX_BYTES)
        read = {"document": path, "program": program, **libreoffice.settings()}
        async with open_child(
            CHILD,
            *(str(program), suffix, today),
            limits=limits,
            profile=Profile(read=read, scratch={"work": folder}),
            timeout_s=timeout_s,
        ) as child:
            message = await child.message()
            if message is None or await child.wait() != 0:
                raise await explain(child, memory_mb)
        if "error" in message:
            raise DocumentError(message["error"]["code"], message["error"]["detail"])
        yield folder / f"document{today}"


@contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder for one conversion, and remove those that a killed worker has left: nobody holds their lock."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        yield Path(name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises OSError if another process works in the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
