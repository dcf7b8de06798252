"""Write on a terminal what may come from documents, models or the service. Standard library only, as app.up needs."""

from __future__ import annotations

import re
from typing import TextIO

# What a terminal obeys, C1 included, and what cannot be encoded. Tabs and line ends stay.
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")


def visible(text: str) -> str:
    """Return the text with control characters as JSON writes them: a terminal shows them and obeys none."""
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str, file: TextIO | None = None) -> None:
    print(visible(text), file=file)
