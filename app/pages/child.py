"""The child that draws a page, or finds where its characters stand. Started by app/pages/drawing.py."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from app.pages.pdf_page import PDF, PdfPage
from app.pages.picture_page import PicturePage, png
from app.pages.unshown import NoSuchPage, Unshown
from app.sandbox.channel import Channel

DAMAGED = "The page is damaged and cannot be drawn."
# What drawing imports when it needs it: Pillow looks for its formats only once.
USED_LATER = ("pypdfium2", "pypdfium2.raw", "PIL.Image", "PIL.ImageChops", "PIL.ImageOps")


def warm_up() -> None:
    """Do before the fork what takes long the first time, and has nothing to do with a document."""
    for name in USED_LATER:
        import_module(name)
    import_module("PIL.Image").init()


def main(channel: Channel, media_type: str, number: str) -> None:
    """Answer one request: `{"dpi": …}` for a picture; `{"characters": …}`, those that are to be found; or
    `{"chunks": …, "start": …, "end": …}` for a part of what version 0.1 read."""
    request = next(channel.requests())
    try:
        page = _open(channel.paths["document"], media_type, int(number))
        answer = {"width": page.width, "height": page.height}
        if "dpi" in request:
            channel.send(answer, [png(page.draw(request["dpi"]))])
        elif "chunks" in request and isinstance(page, PdfPage):
            found = page.rectangles_of_first_reading(request["chunks"], request["start"], request["end"])
            channel.send({**answer, "rectangles": found})
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
