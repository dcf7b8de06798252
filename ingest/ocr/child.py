"""The child that reads or draws pages one by one. Started by ingest/ocr/reader.py.

For each page that it is asked for it sends a message. It lives for some pages: a crash costs no finished one.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

from app.sandbox.channel import Channel
from ingest.ocr.page import PageReader, PageText
from ingest.ocr.pictures import Drawable, Picture, UnreadablePage, open_pages

MAX_SIDE = 2400
DAMAGED = "The page is damaged and cannot be drawn."


def main(channel: Channel, media_type: str, task: str) -> None:
    reader, pages = PageReader(), cache(lambda: open_pages(channel.paths["document"], media_type))
    for number in channel.requests():
        channel.send(_done(reader, pages, number, task))


def _done(reader: PageReader, pages: Callable[[], Drawable], number: int, task: str) -> dict[str, Any]:
    try:
        picture = pages().draw(number)
    except UnreadablePage as error:
        return {"unreadable": str(error)}
    except MemoryError:
        raise
    except Exception:
        # PDFium and Pillow raise errors of many kinds about damaged bytes.
        return {"unreadable": DAMAGED}
    return {"png": _png(picture)} if task == "draw" else _told(reader.read(picture))


def _told(page: PageText) -> dict[str, Any]:
    words = [
        (word.start, word.stop, *(round(side, 1) for side in (word.left, word.top, word.width, word.height)))
        for word in page.words
    ]
    return {"text": page.text, "words": words}


def _png(picture: Picture) -> str:
    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(picture.gray)
    # A vision model makes a larger picture smaller itself.
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    image.save(file, "PNG")
    return b64encode(file.getvalue()).decode()
