"""Finds where a slide's shapes stand: placeholders mostly leave it to the layout, and that to the master."""

from __future__ import annotations

import zipfile

from ingest.loading.parsers.ooxml import DAMAGED, relations
from ingest.loading.parsers.reading_order import Box
from ingest.loading.parsers.shapes import box_of, shapes_of
from ingest.loading.parsers.xml_tree import Node, read_tree

NOWHERE = Box(0, 0, 0, 0)
# What a placeholder of the first kind is on a master.
ON_MASTER = {"ctrTitle": "title", "subTitle": "body", "": "body", "obj": "body", "tbl": "body", "chart": "body"}

Boxes = dict[str, Box]


def placeholder(shape: Node) -> Node:
    return next((each.child("nvPr", "ph") for each in shape if each.name.startswith("nv")), Node(""))


class Places:
    """The boxes that the layouts and masters of a presentation give."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._known: dict[str, Boxes] = {}

    def of(self, slide: str, shape: Node) -> Box:
        own = box_of(shape)
        holder = placeholder(shape)
        if own != NOWHERE or not holder:
            return own
        layout = self._below(slide, "slideLayout")
        given = self._boxes(layout)
        kind = holder.get("type")
        if box := given.get(f"#{holder.get('idx')}") or given.get(kind):
            return box
        return self._boxes(self._below(layout, "slideMaster")).get(ON_MASTER.get(kind, kind), NOWHERE)

    def _below(self, part: str, kind: str) -> str:
        return next((target for _, each, target in relations(self._archive, part) if each == kind), "") if part else ""

    def _boxes(self, part: str) -> Boxes:
        if part and part not in self._known:
            try:
                tree = read_tree(self._archive, part).child("cSld", "spTree")
            except DAMAGED:
                tree = Node("")
            boxes = self._known[part] = Boxes()
            for shape in shapes_of(tree):
                if (holder := placeholder(shape)) and (box := box_of(shape)) != NOWHERE:
                    boxes.setdefault(holder.get("type"), box)
                    boxes.setdefault(f"#{holder.get('idx')}", box)
        return self._known.get(part, {})
