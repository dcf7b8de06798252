"""Puts what a model says of a document's pictures where they stand, marked as such."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app.errors import Unavailable
from app.language.hangul import HAS_HANGUL
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ChildProcess, OutputError, open_child
from app.services import Services
from app.settings import Settings
from app.storage.blobs import Blob
from ingest.jobs.queue import ClaimedDocument
from ingest.loading.clean_text import clean_text
from ingest.loading.load import Loaded
from ingest.loading.notices import bounded
from ingest.loading.parsed import Notice, Page
from ingest.loading.picture_places import with_texts
from ingest.loading.refusals import refuse_empty_or_too_long
from ingest.ocr.endpoint import CannotRead, VisionModel, vision_model
from ingest.staged_pages import stage_description, staged_descriptions
from ingest.turn import Turn

CHILD = "ingest.pictures.child"
MAX_PICTURES = 100
MAX_MESSAGE_BYTES = 64 << 20
MAX_CHARACTERS = 2000
# To draw a picture; of processor time, all of them.
PICTURE_S, CPU_S = 30, 300
TOO_MANY = f"Of a document, {MAX_PICTURES} are."
CHILD_ENDED = "The program that draws them ended."
PROMPTS = {
    "en": (
        "This picture stands in a document. Describe it for people who search the document: what it shows, and the"
        " words and figures in it. Write at most five sentences of plain text in English, without an introduction."
        " Guess nothing. If it is an ornament alone, answer with nothing."
    ),
    "ko": (
        "문서에 들어 있는 그림입니다. 문서를 찾는 사람을 위해 그림이 무엇을 보여 주는지,"
        " 어떤 글자와 수치가 있는지 설명하세요. 머리말 없이 한국어 평문으로 많아야 다섯 문장을 쓰고,"
        " 짐작하지 마세요. 장식일 뿐이면 아무것도 쓰지 마세요."
    ),
}  # fmt: skip
MARKS = {"en": "Description made by a model", "ko": "모델이 만든 설명"}


def describes(settings: Settings) -> bool:
    return settings.describe_pictures and settings.ocr_url is not None


async def describe_pictures(services: Services, claim: ClaimedDocument, loaded: Loaded, turn: Turn) -> Loaded:
    """Return the text with descriptions where pictures stand; a picture without one is told of.

    Raises LeaseLost, TurnOver and DocumentError: what is described stays.
    """
    names = list(dict.fromkeys(name for page in loaded.pages for name in _names(page)))
    if not names or not describes(services.settings):
        return loaded
    unread = dict.fromkeys(names[MAX_PICTURES:], TOO_MANY)
    described: dict[str, str] = {}
    async with _describer(services, claim, loaded) as describer:
        for name in names[:MAX_PICTURES]:
            await turn.give_way(services.database, claim)
            try:
                described[name] = await describer.describe(name)
            except CannotRead as error:
                unread[name] = str(error)
    whole = _with_descriptions(loaded, described, unread)
    refuse_empty_or_too_long([page.text for page in whole.pages], whole.media_type, services.settings.load_max_chars)
    return whole


@asynccontextmanager
async def _describer(services: Services, claim: ClaimedDocument, loaded: Loaded) -> AsyncGenerator[_Describer]:
    known = await staged_descriptions(services.database, claim)
    model = vision_model(services.settings)
    assert model is not None
    stage = partial(stage_description, services.database, claim)
    language = "ko" if any(HAS_HANGUL.search(page.text) for page in loaded.pages) else "en"
    limits = Limits(address_space=services.settings.load_memory_mb << 20, cpu_s=CPU_S, file_size=0)
    async with (
        services.blobs.local(Blob(claim.blob, claim.size, claim.sha256)) as path,
        open_child(
            CHILD,
            loaded.media_type,
            limits=limits,
            profile=Profile(read={"document": path}),
            max_message_bytes=MAX_MESSAGE_BYTES,
            forked=True,
        ) as child,
    ):
        yield _Describer(child, model, PROMPTS[language], known, stage)


@dataclass(slots=True)
class _Describer:
    """`known`: descriptions by the picture's hash. Once the child or the endpoint has failed, none is asked again."""

    child: ChildProcess
    model: VisionModel
    prompt: str
    known: dict[str, str]
    stage: Callable[[str, str], Awaitable[None]]
    failed: str = ""

    async def describe(self, name: str) -> str:
        """Return what the model says, nothing for an ornament. Raises CannotRead."""
        if self.failed:
            raise CannotRead(self.failed)
        picture = await self._drawn(name)
        if "unread" in picture:
            raise CannotRead(picture["unread"])
        sha256 = picture.get("sha256")
        if sha256 is None:
            return ""
        if sha256 not in self.known:
            text = _one_line(await self._said(picture["png"]))
            await self.stage(sha256, text)
            self.known[sha256] = text
        return self.known[sha256]

    async def _drawn(self, name: str) -> dict[str, Any]:
        message = None
        with suppress(TimeoutError, OutputError):
            await self.child.send(name)
            async with asyncio.timeout(PICTURE_S):
                message = await self.child.message()
        if message is None:
            self.failed = CHILD_ENDED
            raise CannotRead(self.failed)
        return message

    async def _said(self, png: str) -> str:
        try:
            return await self.model.read(png, self.prompt)
        except Unavailable as error:
            self.failed = str(error)
            raise CannotRead(self.failed) from None


def _one_line(text: str) -> str:
    line = " ".join(clean_text(text).split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1]}…"


def _with_descriptions(loaded: Loaded, described: Mapping[str, str], unread: Mapping[str, str]) -> Loaded:
    texts = {name: _marked(text) for name, text in described.items() if text}
    pages = [with_texts(page, texts) for page in loaded.pages]
    return replace(loaded, pages=pages, warnings=bounded([*loaded.warnings, *_notices(loaded.pages, unread)]))


def _names(page: Page) -> list[str]:
    """Return the names of the pictures of which nothing is said."""
    return [each.name for each in page.pictures if each.name and each.start == each.stop]


def _marked(text: str) -> str:
    return f"[{MARKS['ko' if HAS_HANGUL.search(text) else 'en']}: {text}]"


def _notices(pages: Sequence[Page], unread: Mapping[str, str]) -> Iterator[Notice]:
    for page in pages:
        counts = Counter(unread[name] for name in _names(page) if name in unread)
        for reason, count in counts.items():
            detail = f"Pictures that are not described: {count:,}. {reason}"
            yield Notice("picture_without_text", detail, page=page.number)
