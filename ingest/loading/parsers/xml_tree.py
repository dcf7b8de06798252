"""Holds a small XML part, such as a slide or a chart, as a tree of local names."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ingest.loading.parsers.ooxml import Attributes, read_xml
from ingest.loading.refusals import CORRUPT

# Programs nest far less; Python's stack would hold about five times as much.
MAX_DEPTH = 150


Take = Callable[["Node"], None]


@dataclass(slots=True)
class Node:
    name: str
    attributes: Attributes = field(default_factory=dict)
    content: list[Node | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Node]:
        return (each for each in self.content if isinstance(each, Node))

    @property
    def text(self) -> str:
        return "".join(each if isinstance(each, str) else each.text for each in self.content)

    def get(self, name: str, otherwise: str = "") -> str:
        """Return an attribute by its local name."""
        for qualified, value in self.attributes.items():
            if qualified.rpartition(":")[2] == name:
                return value
        return otherwise

    def child(self, *path: str) -> Node:
        """Return the first descendant by the names on the way to it, or an empty node."""
        node = self
        for name in path:
            node = next((each for each in node if each.name == name), EMPTY)
        return node

    def children(self, name: str) -> list[Node]:
        return [each for each in self if each.name == name]

    def all(self, *names: str) -> Iterator[Node]:
        """Yield each node of these names in the order of the file, without those inside one that was found."""
        for each in self:
            if each.name in names:
                yield each
            else:
                yield from each.all(*names)

    def __bool__(self) -> bool:
        return self.name != ""


EMPTY = Node("")


def read_tree(archive: zipfile.ZipFile, name: str) -> Node:
    """Raises KeyError if the part does not exist, and DocumentError if it is nested too deep."""
    builder = _Builder()
    read_xml(archive, name, builder)
    return builder.root


class PieceReader:
    """Builds the trees of some elements of a large part, one after the other, and keeps nothing else of it.

    `take` names them, with what receives each; of those that `begin` names only the start is told.
    """

    def __init__(self, take: dict[str, Take], begin: dict[str, Take]) -> None:
        self._take = take
        self._begin = begin
        self._builder: _Builder | None = None

    def start(self, name: str, attributes: Attributes) -> None:
        if self._builder:
            self._builder.start(name, attributes)
        elif name in self._take:
            self._builder = _Builder()
            self._builder.start(name, attributes)
        elif name in self._begin:
            self._begin[name](Node(name, attributes))

    def text(self, text: str) -> None:
        if self._builder:
            self._builder.text(text)

    def end(self, name: str) -> None:
        if self._builder:
            self._builder.end(name)
            if self._builder.done:
                root, self._builder = self._builder.root, None
                self._take[root.name](root)


class _Builder:
    def __init__(self) -> None:
        self.root = EMPTY
        self._open: list[Node] = []

    @property
    def done(self) -> bool:
        return not self._open

    def start(self, name: str, attributes: Attributes) -> None:
        node = Node(name, attributes)
        if self._open:
            self._open[-1].content.append(node)
        else:
            self.root = node
        self._open.append(node)
        if len(self._open) > MAX_DEPTH:
            raise CORRUPT

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].content.append(text)

    def end(self, _: str) -> None:
        self._open.pop()
