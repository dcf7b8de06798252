"""Reads e-books (EPUB): their chapters in reading order, each as HTML."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from ingest.loading.charset import decoded_text
from ingest.loading.parsed import Notice, Options, Page, Parsed
from ingest.loading.parsers.html import HIDDEN, rendered
from ingest.loading.parsers.html_tokens import Start, Token, tokens
from ingest.loading.parsers.ooxml import check_parts, open_package
from ingest.loading.parsers.titles import heading
from ingest.loading.refusals import CORRUPT, ENCRYPTED

CONTAINER, RIGHTS = "META-INF/container.xml", "META-INF/encryption.xml"
# How fonts are obfuscated, which protects no text.
FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
MISSING = "The book names this chapter and holds nothing that can be read under the name."


def read(path: Path, options: Options) -> Parsed:
    with open_package(path) as archive:
        check_parts(archive)
        if _is_protected(archive):
            raise ENCRYPTED
        package = next((each.attribute("full-path") for each in _starts(archive, CONTAINER, "rootfile")), None)
        if not package:
            raise CORRUPT
        title = _title(archive, package)
        texts, warnings = [], list[Notice]()
        for name in _chapters(archive, package):
            content = decoded_text(archive.read(name)) if name in archive.NameToInfo else None
            if content is None:
                warnings.append(Notice("unreadable_page", MISSING, part=name))
                continue
            _, text, has_skipped = rendered(content, options, partial(_picture, archive, posixpath.dirname(name)))
            texts.append(text)
            warnings += [HIDDEN] if has_skipped else []
    text = "\n\n".join(each for each in texts if each)
    return Parsed(title or heading(text), [Page(None, text)], warnings)


def _chapters(archive: zipfile.ZipFile, package: str) -> list[str]:
    """Return the names of the parts in the book's spine, each once."""
    items = {
        each.attribute("id"): each.attribute("href") or ""
        for each in _starts(archive, package, "item")
        if "html" in (each.attribute("media-type") or "")
    }
    listed = [items.get(each.attribute("idref"), "") for each in _starts(archive, package, "itemref")]
    folder = posixpath.dirname(package)
    return [posixpath.normpath(posixpath.join(folder, unquote(href))) for href in dict.fromkeys(listed) if href]


def _picture(archive: zipfile.ZipFile, folder: str, source: str) -> str:
    """Return the part that a chapter in the folder shows."""
    part = posixpath.normpath(posixpath.join(folder, unquote(source.strip())))
    return part if part in archive.NameToInfo else ""


def _title(archive: zipfile.ZipFile, package: str) -> str | None:
    found, title = False, ""
    for token in _tokens(archive, package):
        if isinstance(token, Start):
            found = _local(token) == "title"
        elif isinstance(token, str) and found:
            title += token
        elif title.strip():
            break
    return title.strip() or None


def _is_protected(archive: zipfile.ZipFile) -> bool:
    if RIGHTS not in archive.NameToInfo:
        return False
    ways = [each.attribute("algorithm") for each in _starts(archive, RIGHTS, "encryptionmethod")]
    return any(way not in FONTS for way in ways)


def _starts(archive: zipfile.ZipFile, part: str, name: str) -> Iterator[Start]:
    return (each for each in _tokens(archive, part) if isinstance(each, Start) and _local(each) == name)


def _tokens(archive: zipfile.ZipFile, part: str) -> Iterator[Token]:
    return tokens(decoded_text(archive.read(part)) or "")


def _local(tag: Start) -> str:
    return tag.name.rpartition(":")[2]
