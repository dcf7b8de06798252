"""A file to text, in a child process that may crash, hang or eat memory without harm to the worker."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from app.language.marks import has_long_run
from app.sandbox.subprocesses import ENVIRONMENT, end_of
from ingest.loading.clean_text import clean_text
from ingest.loading.formats import PLAIN
from ingest.loading.refusals import check, too_long

log = logging.getLogger("kyujang.load")

PAGE_BREAK = "\n\n"
READ_BYTES = 1 << 20
MAX_HEAD = 16 << 20
MAX_BYTES_A_CHARACTER = 4
MAX_COMPLAINT = 1 << 16


@dataclass(frozen=True, slots=True)
class Page:
    """`number` is None where the format has no pages."""

    number: int | None
    text: str


@dataclass(frozen=True)
class Loaded:
    media_type: str
    title: str | None
    pages: list[Page] = field(default_factory=list)
    marks_cut: bool = False
    """Whether the file held longer runs of combining marks than are kept."""

    @property
    def text(self) -> str:
        return PAGE_BREAK.join(page.text for page in self.pages)

    def page_starts(self) -> list[int]:
        """Where each page begins in `text`, in code points."""
        lengths = (len(page.text) + len(PAGE_BREAK) for page in self.pages[:-1])
        return list(accumulate(lengths, initial=0))


async def load(
    path: Path, *, filename: str | None, media_type: str | None, memory_mb: int, timeout_s: float, max_chars: int
) -> Loaded:
    """Raises DocumentError; its detail is for the caller to read."""
    if media_type == PLAIN:
        return await asyncio.to_thread(_sent_as_text, path, max_chars)
    # -P: nothing from the folder in which the worker was started.
    command = [sys.executable, "-P", "-m", "ingest.loading.child", str(path), filename or "", media_type or ""]
    limits = [str(memory_mb), str(int(timeout_s) + 1), str(max_chars)]
    process = await asyncio.create_subprocess_exec(
        *command,
        *limits,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, complaint = await asyncio.gather(
                _read(process.stdout, MAX_HEAD + MAX_BYTES_A_CHARACTER * max_chars),
                _read(process.stderr, MAX_COMPLAINT),
            )
            await process.wait()
    except TimeoutError:
        raise DocumentError(
            "timeout", f"Reading the document took more than {timeout_s:g} s (KYUJANG_LOAD_TIMEOUT_S). Split it."
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if len(output) > MAX_HEAD + MAX_BYTES_A_CHARACTER * max_chars:
        raise too_long(None, max_chars)
    return _result(output, bytes(complaint), process.returncode or 0, memory_mb)


def _sent_as_text(path: Path, max_chars: int) -> Loaded:
    """What came as a string of JSON is text, whatever it looks like: no child, whose start takes 0.1 s."""
    sent = path.read_bytes().decode()
    text = clean_text(sent)
    check([text], PLAIN, max_chars)
    return Loaded(PLAIN, None, [Page(None, text)], has_long_run(sent))


async def _read(stream: asyncio.StreamReader | None, most: int) -> bytearray:
    """To its end, keeping at most a little more than `most`: whatever a child says, the worker has room for it."""
    kept = bytearray()
    while stream is not None and (part := await stream.read(READ_BYTES)):
        if len(kept) <= most:
            kept += part
    return kept


def _result(output: bytearray, complaint: bytes, code: int, memory_mb: int) -> Loaded:
    first = output.find(b"\n") + 1
    try:
        head: dict[str, Any] = json.loads(output[:first])
        text = str(memoryview(output)[first:], "utf-8")
    except ValueError:
        raise _crash(complaint, code, memory_mb) from None
    if "error" in head:
        raise DocumentError(head["error"]["code"], head["error"]["detail"])
    ends = list(accumulate(length for _, length in head["pages"]))
    if code != 0 or len(text) != ends[-1]:
        raise _crash(complaint, code, memory_mb)
    starts = [0, *ends[:-1]]
    pages = [Page(number, text[a:b]) for (number, _), a, b in zip(head["pages"], starts, ends, strict=True)]
    return Loaded(head["media_type"], head["title"], pages, head["marks_cut"])


def _crash(complaint: bytes, code: int, memory_mb: int) -> DocumentError:
    match end_of(code, complaint):
        case "out of memory":
            why = f"Reading the document needs more than {memory_mb} MB (KYUJANG_LOAD_MEMORY_MB). Split it."
            return DocumentError("too_large", why)
        case "out of time":
            why = "Reading the document took too much processor time (KYUJANG_LOAD_TIMEOUT_S)."
            return DocumentError("timeout", why)
        case "crashed":
            why = "The file is damaged: its reader crashed. Open it, save it again and send that."
            return DocumentError("corrupt", why)
        case "failed":
            complained = complaint[-2000:].decode(errors="replace")
            log.error("the reader failed", extra={"code": code, "complaint": complained})
            return DocumentError("internal", "Kyujang failed to read this document; the log says why.")
