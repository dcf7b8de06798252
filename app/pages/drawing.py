"""Draws pages of PDFs and pictures, and finds where parts of their text stand, in a sandboxed child."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.errors import KyujangError, NotFound, Overloaded, TooManyRequests
from app.pages.first_reading import FirstReading
from app.pages.pdf_page import PDF, Characters
from app.pages.picture_page import PICTURES
from app.pages.rectangles import Rectangle
from app.sandbox.forked import ParentDied, tried_again
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ChildProcess, OutputError, open_child
from app.settings import Settings
from app.storage.blobs import Blob, Blobs
from app.storage.tenancy import TenantNumber
from app.turns import Slots

TIMEOUT_S = 20
AT_ONCE = 2
MAX_CACHED_BYTES = 64 << 20
# RGB of the most pixels that are drawn, which noise does not compress.
MAX_PNG_BYTES = 32 << 20
# The rectangles of all characters of a page.
MAX_MESSAGE_BYTES = 16 << 20
TOO_LONG = f"To draw the page takes more than {TIMEOUT_S} s."
TOO_LARGE = "To draw the page takes more memory than is allowed (KYUJANG_LOAD_MEMORY_MB)."
CRASHED = "The page is damaged: the program that draws it crashed."
NO_PICTURE = "Pages of PDFs and pictures are drawn, and this document is neither. GET …/text has its text."


class PageNotShown(KyujangError):
    """The page cannot be drawn.

    `detail` says why: the format has no pages to draw, the page is damaged, or to draw it takes too much.
    """

    status = 422
    code = "page_not_shown"


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Sizes are in points. `rectangles` is None if the file has other characters than its text says."""

    width: float
    height: float
    rectangles: list[Rectangle] | None


class PageDrawer:
    """Keeps the pictures that were asked for last. What is drawn never changes: a new file has a new path."""

    def __init__(self, settings: Settings) -> None:
        self._memory = settings.load_memory_mb << 20
        self._queue, self._queue_s = settings.tenant_queue, settings.queue_timeout_s
        self._slots = Slots(total=AT_ONCE, per_tenant=AT_ONCE, beside_others=AT_ONCE - 1)
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()

    async def draw(
        self, tenant: TenantNumber, blobs: Blobs, blob: Blob, media_type: str, number: int, dpi: int
    ) -> bytes:
        """Return a PNG. Raises NotFound, PageNotShown, TooManyRequests, Overloaded."""
        key = (blob.path, number, dpi)
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        _, drawn = await self._ask(tenant, blobs, blob, media_type, number, {"dpi": dpi})
        self._kept[key] = drawn
        while sum(map(len, self._kept.values())) > MAX_CACHED_BYTES:
            self._kept.popitem(last=False)
        return drawn

    async def find(
        self,
        tenant: TenantNumber,
        blobs: Blobs,
        blob: Blob,
        media_type: str,
        number: int,
        sought: Sequence[Characters] | FirstReading,
    ) -> FoundPage:
        """Return the page with the rectangles of these characters, or of a part of what version 0.1 read. Raises what
        draw() does."""
        request = sought._asdict() if isinstance(sought, FirstReading) else {"characters": sought}
        found, _ = await self._ask(tenant, blobs, blob, media_type, number, request)
        boxes = found["rectangles"]
        return FoundPage(found["width"], found["height"], None if boxes is None else [Rectangle(*box) for box in boxes])

    async def _ask(
        self, tenant: TenantNumber, blobs: Blobs, blob: Blob, media_type: str, number: int, request: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        if media_type != PDF and media_type not in PICTURES:
            raise PageNotShown(NO_PICTURE)
        if self._slots.full(tenant, self._queue):
            raise TooManyRequests
        try:
            async with self._slots.slot(tenant, timeout_s=self._queue_s), blobs.local(blob) as path:
                profile = Profile(read={"document": path})
                return await self._answer(profile, media_type, number, request)
        except TimeoutError:
            raise Overloaded from None
        except FileNotFoundError:
            # Replaced or deleted a moment ago.
            raise NotFound from None

    async def _answer(
        self, profile: Profile, media_type: str, number: int, request: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        ask = partial(self._ask_child, profile, media_type, number, request)
        try:
            message, payload = await tried_again(ask)
        except TimeoutError:
            raise PageNotShown(TOO_LONG) from None
        except (OutputError, ParentDied):
            raise PageNotShown(CRASHED) from None
        if "no_such_page" in message:
            raise NotFound
        if "unshown" in message:
            raise PageNotShown(message["unshown"])
        return message, bytes(payload)

    async def _ask_child(
        self, profile: Profile, media_type: str, number: int, request: dict[str, Any]
    ) -> tuple[dict[str, Any], bytearray]:
        """Raises PageNotShown, TimeoutError, OutputError, ParentDied."""
        async with open_child(
            "app.pages.child",
            *(media_type, str(number)),
            limits=Limits(address_space=self._memory, cpu_s=TIMEOUT_S, file_size=0),
            profile=profile,
            timeout_s=TIMEOUT_S,
            max_message_bytes=MAX_MESSAGE_BYTES,
            forked=True,
        ) as child:
            await child.send(request)
            message = await child.message()
            payload = await child.payload(MAX_PNG_BYTES)
            if message is None:
                raise PageNotShown(await _why(child))
        return message, payload


async def _why(child: ChildProcess) -> str:
    match await child.exit_reason():
        case "out of memory" | "killed":
            return TOO_LARGE
        case "out of time":
            return TOO_LONG
        case _:
            return CRASHED
