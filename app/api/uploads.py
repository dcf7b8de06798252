"""Forms with files: receive them, and refuse what is not a field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException

from app.api.form_parser import FormParser
from app.errors import BadRequest, InvalidInput, TooLarge
from app.language.marks import cut_runs
from app.storage.blobs import is_full, no_room

FORM = "multipart/form-data"
LIMIT = re.compile(r"Too many|\w+ exceeded maximum size")


def content_type(request: Request) -> str:
    """Return it without parameters such as a form's boundary."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def received_form(
    request: Request, fields: Sequence[str], *, max_files: int, max_fields: int, max_part_bytes: int
) -> AsyncIterator[FormData]:
    """Give the form, with these fields at most, and close its files at the end."""
    limits = {"max_files": max_files, "max_fields": max_fields, "max_part_size": max_part_bytes}
    try:
        form = await FormParser(request.headers, request.stream(), **limits).parse()
        try:
            _refuse_other_fields(form, fields)
            yield form
        finally:
            await form.close()
    except MultiPartException as error:
        # Starlette's parser has one error for what is too much and what is broken.
        raise (TooLarge if LIMIT.match(error.message) else BadRequest)(error.message) from None
    except OSError as error:
        # Large files pass through the disk before they are read.
        if is_full(error):
            raise no_room() from None
        raise


def clean_name(name: str) -> str:
    sound = "".join(
        character for character in name if character.isprintable() and not "\ud800" <= character <= "\udfff"
    )
    return cut_runs(unicodedata.normalize("NFC", cut_runs(sound)))


def _refuse_other_fields(form: FormData, fields: Sequence[str]) -> None:
    if unknown := sorted(set(form.keys()) - set(fields)):
        field = clean_name(unknown[0])
        known = f"{', '.join(fields[:-1])} and {fields[-1]}"
        raise InvalidInput(f"Unknown field {field!r}; the fields are {known}.", pointer=f"/{field}")
