"""Errors about documents that several readers share."""

from __future__ import annotations

from collections.abc import Sequence

from app.errors import DocumentError

FORMATS = (
    "It reads txt, md, html, csv, tsv, json, jsonl, xml, ipynb, pdf, docx, pptx, xlsx, rtf, odt, ods, odp, eml, msg, "
    "mbox, zip, tar, tar.gz, epub, hwp, hwpx, hml, by OCR png, jpg, tiff, webp, bmp, and with LibreOffice doc, xls, "
    "ppt."
)
ENCRYPTED = DocumentError("encrypted", "The document is protected by a password. Remove it and send it again.")
CORRUPT = DocumentError("corrupt", "The document is damaged. Open it, save it again and send that.")
UNPACKS_TO_TOO_MUCH = DocumentError("too_large", "The document unpacks to more than this service accepts. Split it.")
UNSUPPORTED = DocumentError("unsupported_type", f"This service does not read this type of content. {FORMATS}")

UNKNOWN_CHARSET = DocumentError(
    "unsupported_type", "The file is text in a character set that this service does not recognise. Save it as UTF-8."
)


def save_as(what: str, extension: str) -> DocumentError:
    return DocumentError("unsupported_type", f"This is {what}. Save it as {extension} and send that.")


def too_long(characters: int | None, limit: int) -> DocumentError:
    held = f"{characters:,} characters" if characters else "too many characters"
    return DocumentError(
        "too_large", f"The document holds {held}; at most {limit:,} are accepted (KYUJANG_LOAD_MAX_CHARS). Split it."
    )


def refuse_empty_or_too_long(texts: Sequence[str], media_type: str, max_chars: int) -> None:
    """Raises DocumentError if there is no text, or too much."""
    if not any(text.strip() for text in texts):
        raise DocumentError("empty", _why_empty(media_type))
    if (characters := sum(map(len, texts))) > max_chars:
        raise too_long(characters, max_chars)


def _why_empty(media_type: str) -> str:
    if media_type == "application/pdf":
        return "The PDF holds no text layer: it is probably a scan. Run OCR on it and send the result."
    return "The document holds no text."
