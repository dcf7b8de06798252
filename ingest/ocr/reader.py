"""Reads pages by OCR in a sandboxed child, which is started again after a crash, so that it costs one page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app.sandbox.forked import ParentDied
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ENVIRONMENT, ChildProcess, ExitReason, OutputError
from app.storage.words import WordBox
from ingest.loading.clean_text import clean_text
from ingest.ocr.endpoint import CannotRead, VisionModel

CHILD = "ingest.ocr.child"
# Tesseract asks for four threads, whatever it is told otherwise: they wait for each other in turns, which takes five
# times the processor time.
ONE_THREAD = {"OMP_THREAD_LIMIT": "1"}
# What a library leaks or a page leaves behind ends with the child.
PAGES_A_CHILD = 50
START_S = 30
MAX_MESSAGE_BYTES = 64 << 20
WHY: dict[ExitReason, str] = {
    "out of memory": "To read the page takes more memory than a child may have (KYUJANG_LOAD_MEMORY_MB).",
    "killed": "To read the page takes more memory than there is.",
    "out of time": "To read the page took too long (KYUJANG_OCR_TIMEOUT_S).",
    "crashed": "The page is damaged: the program that reads it crashed.",
    "failed": "Kyujang failed to read the page; the log says why.",
}


@dataclass(frozen=True, slots=True)
class PageRead:
    """`unreadable` says why a page could not be read."""

    text: str = ""
    words: list[WordBox] = field(default_factory=list)
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class OcrLimits:
    memory_mb: int
    page_s: float


class OcrReader:
    """Opened as a block, at whose end the child ends, too."""

    def __init__(self, path: Path, media_type: str, limits: OcrLimits, model: VisionModel | None = None) -> None:
        """With a `model` the child only draws."""
        self._path, self._media_type, self._limits, self._model = path, media_type, limits, model
        self._child: ChildProcess | None = None
        self._pages = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._end()

    async def read(self, number: int) -> PageRead:
        """Raises Unavailable if the model's endpoint does not answer."""
        task = "draw" if self._model else "read"
        try:
            message = await self._ask(number, task)
        except ParentDied:
            await self._end()
            message = await self._ask(number, task)
        if "unreadable" in message:
            return PageRead(unreadable=message["unreadable"])
        if self._model is not None:
            try:
                return PageRead(clean_text(await self._model.read(message["png"])))
            except CannotRead as error:
                return PageRead(unreadable=str(error))
        return PageRead(message["text"], [WordBox(*word) for word in message["words"]])

    async def _ask(self, number: int, task: str) -> dict[str, Any]:
        child = await self._started(task)
        await child.send(number)
        try:
            async with asyncio.timeout(self._limits.page_s + (START_S if self._pages == 1 else 0)):
                message = await child.message()
        except TimeoutError:
            message = {"unreadable": WHY["out of time"]}
            await self._end()
        except OutputError:
            message = {"unreadable": WHY["crashed"]}
            await self._end()
        if message is None:
            message = {"unreadable": WHY[await child.exit_reason()]}
            await self._end()
        return message

    async def _started(self, task: str) -> ChildProcess:
        if self._pages >= PAGES_A_CHILD:
            await self._end()
        if self._child is None:
            self._child = await ChildProcess.start(
                CHILD,
                self._media_type,
                task,
                limits=Limits(
                    address_space=self._limits.memory_mb << 20,
                    cpu_s=START_S + round(PAGES_A_CHILD * self._limits.page_s),
                    file_size=0,
                ),
                profile=Profile(read={"document": self._path}),
                environment=ENVIRONMENT | ONE_THREAD,
                max_message_bytes=MAX_MESSAGE_BYTES,
                forked=True,
            )
            self._pages = 0
        self._pages += 1
        return self._child

    async def _end(self) -> None:
        child, self._child, self._pages = self._child, None, 0
        if child is not None:
            await child.kill()
