"""Files of every format taken, made from the same content."""

from __future__ import annotations

from collections.abc import Callable

from tests.ingest.made.content import ENGLISH, KOREAN, Content
from tests.ingest.made.hancom import hml, hwp, hwpx
from tests.ingest.made.office import docx, epub, pptx, xlsx
from tests.ingest.made.open_document import odp, ods, odt
from tests.ingest.made.plain import as_json, csv, eml, html, jsonl, markdown, pdf, plain
from tests.ingest.made.rich import rtf

__all__ = ["ENGLISH", "KOREAN", "MAKERS", "Content"]

MAKERS: dict[str, Callable[[Content], bytes]] = {
    "txt": plain, "md": markdown, "html": html, "csv": csv, "json": as_json, "jsonl": jsonl, "pdf": pdf, "docx": docx,
    "pptx": pptx, "xlsx": xlsx, "epub": epub, "eml": eml, "hwp": hwp, "hwpx": hwpx, "hml": hml, "odt": odt, "rtf": rtf,
    "ods": ods, "odp": odp,
}  # fmt: skip
