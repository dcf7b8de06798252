"""Opens OpenDocument files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.loading.parsers.ooxml import open_package, read_xml
from ingest.loading.parsers.xml_tree import Node, PieceReader
from ingest.loading.refusals import ENCRYPTED

MANIFEST = "META-INF/manifest.xml"


@contextmanager
def open_document(path: Path) -> Iterator[zipfile.ZipFile]:
    with open_package(path) as archive:
        if MANIFEST in archive.namelist():
            read_xml(archive, MANIFEST, PieceReader({"encryption-data": _refuse}, {}))
        yield archive


def _refuse(_: Node) -> None:
    raise ENCRYPTED
