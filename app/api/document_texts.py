"""Answer with a document's text, as JSON or as plain text."""

from __future__ import annotations

import asyncio
import re
from typing import Literal

from fastapi import Request, Response
from pydantic import BaseModel, Field

from app.api.chunk_schemas import SpanOut
from app.api.original_files import SAFE
from app.storage.pictures import Picture, Unit
from app.storage.texts import TextPart

JSON, PLAIN = "application/json", "text/plain"
QUALITY = re.compile(r"q=([01](?:\.\d{0,3})?)")


class PageSpanOut(BaseModel):
    page: int
    span: SpanOut = Field(description="In the whole text")
    head: str | None = Field(None, description="The running head that was left out of the text")
    foot: str | None = Field(None, description="The running foot or page number that was left out of the text")


class PictureOut(BaseModel):
    """Of a picture in the document the file may say how large it is shown, what it shows, and a caption."""

    span: SpanOut = Field(
        description="In the whole text: what stands there for the picture, or, if it is empty, where the picture stands"
    )
    page: int | None = Field(None, description="The page, slide or sheet")
    width: float | None = Field(None, description="As it is shown")
    height: float | None = None
    unit: Unit | None = Field(None, description="`pt`: points of 1/72 inch, or `px`: pixels of a web page")
    alt: str | None = Field(None, description="What its author says of it for those who do not see it")
    caption: str | None = Field(None, description="The caption beside it, which the text has, too")
    described: Literal[True] | None = Field(None, description="What stands in its span was made by a model")


class TextOut(BaseModel):
    """The text that the spans of chunks and citations count code points in."""

    text: str
    span: SpanOut = Field(description="Which part of the whole text this is")
    length: int = Field(description="The code points of the whole text")
    pages: list[PageSpanOut] = Field(description="The pages, slides or sheets of which the part has something")
    pictures: list[PictureOut] = Field(description="The pictures that begin in the part")
    rebuilt: Literal[True] | None = Field(
        None, description="It is put together from chunks; U+FFFC stands for each character that none of them has"
    )


async def text_answer(request: Request, part: TextPart) -> Response:
    """Return the part as the caller takes it, with an ETag that parts of one version have in common."""
    plain = prefers_plain(", ".join(request.headers.getlist("accept")))
    # A large one is not written on the event loop.
    content = await asyncio.to_thread(_as_plain if plain else _as_json, part)
    headers = {**SAFE, "Vary": "Accept", "ETag": f'"{part.version}"'}
    return Response(content, media_type=PLAIN if plain else JSON, headers=headers)


def _as_plain(part: TextPart) -> bytes:
    return part.text.encode()


def _as_json(part: TextPart) -> bytes:
    pages = [
        PageSpanOut(page=each.page, span=SpanOut(start=each.start, end=each.stop), head=each.head, foot=each.foot)
        for each in part.pages
    ]
    out = TextOut(
        text=part.text,
        span=SpanOut(start=part.start, end=part.stop),
        length=part.length,
        pages=pages,
        pictures=list(map(_picture, part.pictures)),
        rebuilt=True if part.rebuilt else None,
    )
    return out.model_dump_json(exclude_none=True).encode()


def _picture(picture: Picture) -> PictureOut:
    return PictureOut(
        span=SpanOut(start=picture.start, end=picture.stop),
        page=picture.page,
        width=picture.width,
        height=picture.height,
        unit=picture.unit,
        alt=picture.alt or None,
        caption=picture.caption or None,
        described=True if picture.described else None,
    )


def prefers_plain(accept: str) -> bool:
    return _quality(accept, PLAIN) > _quality(accept, JSON)


def _quality(accept: str, media_type: str) -> float:
    """Return how much a type is wanted: as the most specific range that holds it says (RFC 9110 section 12.5.1)."""
    ranges = ["*/*", f"{media_type.partition('/')[0]}/*", media_type]
    best, quality = -1, 0.0
    for each in accept.split(","):
        name, _, parameters = each.replace(" ", "").lower().partition(";")
        found = QUALITY.search(parameters)
        if name in ranges and ranges.index(name) > best:
            best, quality = ranges.index(name), float(found[1]) if found else 1.0
    return quality
