"""Find addresses in an answer, and images that a reader's browser would fetch unasked. Pure."""

from __future__ import annotations

import re

# What Markdown makes a link of; the rest of a text holds no address by itself.
ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,20}://|(?<=[(\"'=<])//|\bwww\.|\bmailto:)[^\s<>\"'()\[\]{}`|\\^]+", re.IGNORECASE
)
TRAILING = ".,;:!?*_~…。"
REMOTE_IMAGE = re.compile(
    r"!\[(?:(?!\]\().){0,300}\](?:\(\s{0,3}<?(?:[a-z][a-z0-9+.-]{0,20}:)?//[^\s)]*|\[)|<img\b[^>]{0,1000}",
    re.IGNORECASE | re.DOTALL,
)


def addresses(text: str) -> frozenset[str]:
    return frozenset(found[0].rstrip(TRAILING) for found in ADDRESS.finditer(text))


def remote_images(text: str) -> list[tuple[int, int]]:
    """Return (start, stop) of each in Markdown or HTML, without those from the document's own folder."""
    return [found.span() for found in REMOTE_IMAGE.finditer(text)]


def leads_elsewhere(sentence: str, source: str) -> bool:
    """Tell whether it holds an image, or an address that the source does not: a model can be told to put data there."""
    return bool(remote_images(sentence)) or any(address not in source for address in addresses(sentence))
