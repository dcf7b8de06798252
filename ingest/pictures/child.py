"""The child that takes pictures out of a document. Started by ingest/pictures/describe.py.

For each name it sends the picture as PNG with the hash of what it shows, or why it does not.
"""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from typing import Any

from app.sandbox.channel import Channel
from ingest.pictures.files import Find, finder

MAX_PIXELS = 50_000_000
# A model makes a larger picture smaller itself.
MAX_SIDE = 1568
# Less is a bullet or an ornament.
MIN_SIDE = 32
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
DAMAGED = "They are damaged, or of a kind that is not drawn."
LARGE = f"They have more than {MAX_PIXELS // 1_000_000} million pixels."


def main(channel: Channel, media_type: str) -> None:
    find = finder(channel.paths["document"], media_type)
    for name in channel.requests():
        channel.send(_answer(find, name))


def _answer(find: Find, name: str) -> dict[str, Any]:
    try:
        return _drawn(find(name))
    except MemoryError:
        raise
    except Exception:
        # PDFium, Pillow and zipfile raise errors of many kinds about damaged bytes.
        return {"unread": DAMAGED}


def _drawn(found: Any) -> dict[str, Any]:
    from PIL import Image, ImageOps

    # The file's own numbers are checked below.
    Image.MAX_IMAGE_PIXELS = None
    image = Image.open(io.BytesIO(found), formats=FORMATS) if isinstance(found, bytes) else found
    if image.width * image.height > MAX_PIXELS:
        return {"unread": LARGE}
    if min(image.size) < MIN_SIDE:
        return {}
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))
    image = ImageOps.exif_transpose(image).convert("RGBA")
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    file = io.BytesIO()
    white.convert("RGB").save(file, "PNG")
    png = file.getvalue()
    return {"sha256": hashlib.sha256(png).hexdigest(), "png": b64encode(png).decode()}
