"""Marks that readers set where pictures stand, and before captions, until ingest/loading/picture_places.py takes them
out of the text."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode

from app.storage.pictures import Unit
from ingest.loading.parsed import Options

# They are no characters, so that no text has them.
BEFORE, AFTER = "\ufdd0", "\ufdd1"
# A picture that waits for a description counts as content, one that is only noted does not.
NOTED, WAITING, SHOWN_END, CAPTION_BEGINS = ".?;="
MARK = f"{BEFORE}[^{BEFORE}{AFTER}\n]{{0,9000}}{AFTER}"
ANY_MARK = re.compile(MARK)
NO_CONTENT = re.compile(rf"{BEFORE}(?!\{WAITING})[^{BEFORE}{AFTER}\n]{{0,9000}}{AFTER}")
END, CAPTION = f"{BEFORE}{SHOWN_END}{AFTER}", f"{BEFORE}{CAPTION_BEGINS}{AFTER}"
MAX_NAME, MAX_SAID = 300, 1000

Size = tuple[float, float, Unit]


def in_points(width: float, height: float, per_point: float) -> Size | None:
    """Return the size of what is that many units wide and high, None if it has no area."""
    return (round(width / per_point, 1), round(height / per_point, 1), "pt") if width > 0 and height > 0 else None


def waits(options: Options, name: str) -> bool:
    """Whether a model is to describe the picture that the document's format knows by this name."""
    return options.picture_places and options.describes_pictures and 0 < len(name) <= MAX_NAME


def picture_text(options: Options, name: str = "", size: Size | None = None, alt: str = "", shown: str = "") -> str:
    """Return what a picture leaves in the text: a mark, and what is `shown` for it. `alt` is what its author says."""
    if not options.picture_places:
        return shown
    kind = WAITING if not shown and waits(options, name) else NOTED
    about = [name if len(name) <= MAX_NAME else "", *(size or (None, None, None)), alt[:MAX_SAID]]
    mark = f"{BEFORE}{kind}{b64encode(json.dumps(about, ensure_ascii=False).encode(errors='replace')).decode()}{AFTER}"
    return mark + (shown + END if shown else "")


def caption(options: Options, text: str) -> str:
    """Return the text marked as a caption of what stands before or after it."""
    return CAPTION + text if options.picture_places and text else text


def name_of_data(data: bytes) -> str:
    """Return the name of a picture that stands in a page as data, in base 64."""
    return hashlib.sha256(b"".join(data.split())).hexdigest()


def without_marks(text: str) -> str:
    return ANY_MARK.sub("", text) if BEFORE in text else text


def says_nothing(text: str) -> bool:
    """Whether a text is blank but for pictures that are only noted."""
    return not (NO_CONTENT.sub("", text) if BEFORE in text else text).strip()
