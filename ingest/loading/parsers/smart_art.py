"""Reads the words of SmartArt, those of each point before those of the points below it."""

from __future__ import annotations

import zipfile

from ingest.loading.parsers.drawing_text import paragraphs
from ingest.loading.parsers.xml_tree import read_tree

WITHOUT_TEXT = ("pres", "parTrans", "sibTrans")


def read_smart_art(archive: zipfile.ZipFile, part: str) -> list[str]:
    root = read_tree(archive, part)
    texts = {
        point.get("modelId"): [text for text in paragraphs(point.child("t")) if text.strip()]
        for point in root.child("ptLst").children("pt")
        if point.get("type", "node") not in WITHOUT_TEXT
    }
    below: dict[str, list[tuple[int, str]]] = {}
    for link in root.child("cxnLst").children("cxn"):
        if link.get("type", "parOf") == "parOf":
            below.setdefault(link.get("srcId"), []).append((int(link.get("srcOrd", "0")), link.get("destId")))
    ordered: list[str] = []
    # A point that nothing leads to comes in the order of the file.
    linked = {point for links in below.values() for _, point in links}
    waiting = sorted(reversed(texts), key=lambda point: point not in linked)
    while waiting:
        point = waiting.pop()
        ordered += texts.pop(point, [])
        waiting += [each for _, each in sorted(below.pop(point, []), reverse=True)]
    return ordered
