"""Reads HWPX (KS X 6101), Hancom's documents as a zip of XML sections."""

from __future__ import annotations

import re
import zipfile
from functools import partial
from pathlib import Path, PurePosixPath

from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers.chart import read_chart
from ingest.loading.parsers.flow import Block
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.elements import DamagedXml, read_part
from ingest.loading.parsers.hancom.heads import HeadReader
from ingest.loading.parsers.hancom.laid_out import LaidOutReader
from ingest.loading.parsers.hancom.styles import Styles
from ingest.loading.parsers.ooxml import numbered, open_package
from ingest.loading.refusals import CORRUPT, ENCRYPTED

HEAD = "Contents/header.xml"
SECTION, MASTER_PAGE = r"Contents/section(\d+)\.xml", r"Contents/masterpage(\d+)\.xml"
PICTURES = "BinData/"
MANIFEST = "META-INF/manifest.xml"
TITLE = re.compile(rb"<opf:title\b[^>]*>([^<]{1,300})</opf:title>")


def read(path: Path, options: Options) -> Parsed:
    with open_package(path) as archive:
        if MANIFEST in archive.namelist() and b"encryption-data" in archive.read(MANIFEST):
            raise ENCRYPTED
        sections = numbered(archive, SECTION)
        if not sections:
            raise CORRUPT
        styles = Styles()
        if HEAD in archive.namelist():
            read_part(archive, HEAD, HeadReader(styles))
        body = Body(styles, options)
        pictures = {PurePosixPath(name).stem: name for name in archive.namelist() if name.startswith(PICTURES)}
        for section in [*sections, *numbered(archive, MASTER_PAGE)]:
            body.layout.new_section()
            read_part(
                archive, section, LaidOutReader(body, partial(_chart, archive), lambda key: pictures.get(key, ""))
            )
        return body.parsed(_title(archive))


def _chart(archive: zipfile.ZipFile, part: str) -> list[Block]:
    """Return a chart's values, or nothing if it is damaged or missing."""
    try:
        return read_chart(archive, part)
    except (KeyError, ValueError, DamagedXml, zipfile.BadZipFile):
        return []


def _title(archive: zipfile.ZipFile) -> str | None:
    try:
        found = TITLE.search(archive.read("Contents/content.hpf"))
    except KeyError:
        return None
    return found.group(1).decode("utf-8", "ignore") if found else None
