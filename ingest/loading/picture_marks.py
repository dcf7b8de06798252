"""Marks that readers set where pictures stand, and before captions, until ingest/loading/picture_places.py takes them
out of the text."""

from __future__ import annotations

import hashlib
import re
from math import isfinite

from app.storage.pictures import Unit
from ingest.loading.clean_text import clean_text
from ingest.loading.parsed import Options

# They are no characters, so that no text has them.
BEFORE, AFTER = "\ufdd0", "\ufdd1"
# A picture that waits for a description counts as content, one that is only noted does not.
NOTED, WAITING, SHOWN_END, CAPTION_BEGINS = ".?;="
MARK = f"{BEFORE}[^{BEFORE}{AFTER}\n]{{0,9}}{AFTER}"
ANY_MARK = re.compile(MARK)
NO_CONTENT = re.compile(rf"{BEFORE}(?!\{WAITING})[^{BEFORE}{AFTER}\n]{{0,9}}{AFTER}")
NUMBER = re.compile(rf"{BEFORE}[{NOTED}{WAITING}](\d{{1,9}}){AFTER}")
END, CAPTION = f"{BEFORE}{SHOWN_END}{AFTER}", f"{BEFORE}{CAPTION_BEGINS}{AFTER}"
MAX_NAME, MAX_SAID = 300, 1000
MAX_LENGTH = 1_000_000

Size = tuple[float, float, Unit]


def in_points(width: float, height: float, per_point: float) -> Size | None:
    """Return the size of what is that many units wide and high, None if it has no area."""
    return (round(width / per_point, 1), round(height / per_point, 1), "pt") if width > 0 and height > 0 else None


def waits(options: Options, name: str) -> bool:
    """Whether a model is to describe the picture that the document's format knows by this name."""
    return options.picture_places and options.describes_pictures and 0 < len(name) <= MAX_NAME


def picture_text(options: Options, name: str = "", size: Size | None = None, alt: str = "", shown: str = "") -> str:
    """Note the picture and return what it leaves in the text: the mark of its number, and what is `shown` for it. `alt`
    is what its author says."""
    if not options.picture_places:
        return shown
    kind = WAITING if not shown and waits(options, name) else NOTED
    mark = f"{BEFORE}{kind}{len(options.noted)}{AFTER}"
    shape = size if size and all(isfinite(each) and 0 < each < MAX_LENGTH for each in size[:2]) else (None, None, None)
    said = " ".join(clean_text(alt[:MAX_SAID]).split())
    options.noted.append((clean_text(name) if len(name) <= MAX_NAME else "", *shape, said))
    return mark + (shown + END if shown else "")


def caption(options: Options, text: str) -> str:
    """Return the text marked as a caption of what stands before or after it."""
    return CAPTION + text if options.picture_places and text else text


def name_of_data(data: bytes) -> str:
    """Return the name of a picture that stands in a page as data, in base 64."""
    return hashlib.sha256(b"".join(data.split())).hexdigest()


def name_of(options: Options, text: str) -> str:
    """Return the name of the first picture in the text."""
    found = NUMBER.search(text)
    return options.noted[int(found[1])][0] if found and int(found[1]) < len(options.noted) else ""


def without_marks(text: str) -> str:
    return ANY_MARK.sub("", text) if BEFORE in text else text


def says_nothing(text: str) -> bool:
    """Whether a text is blank but for pictures that are only noted."""
    return not (NO_CONTENT.sub("", text) if BEFORE in text else text).strip()
