"""The child that draws a page, or finds where its characters stand. Started by app/pages/drawing.py."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from app.pages.pdf_page import PDF, PdfPage
from app.pages.picture_page import PicturePage
from app.pages.unshown import NoSuchPage, Unshown
from app.sandbox.channel import Channel

DAMAGED = "The page is damaged and cannot be drawn."
# Higher ones take twice the time for a tenth less.
PNG_LEVEL = 3


def main(channel: Channel, media_type: str, number: str) -> None:
    """Answer one request: `{"dpi": …}` for a picture, or `{"characters": …}`, those that are to be found."""
    request = next(channel.requests())
    try:
        page = _open(channel.paths["document"], media_type, int(number))
        answer = {"width": page.width, "height": page.height}
        if "dpi" in request:
            channel.send(answer, [_png(page.draw(request["dpi"]))])
        else:
            found = page.rectangles(request["characters"]) if request["characters"] else []
            channel.send({**answer, "rectangles": found})
    except NoSuchPage:
        channel.send({"no_such_page": True})
    except Unshown as error:
        channel.send({"unshown": str(error)})
    except MemoryError:
        raise
    except Exception:
        # PDFium and Pillow raise errors of many kinds about damaged bytes.
        channel.send({"unshown": DAMAGED})


def _open(path: Path, media_type: str, number: int) -> PdfPage | PicturePage:
    return (PdfPage if media_type == PDF else PicturePage)(path, number)


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    image.convert("RGB").save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue()
