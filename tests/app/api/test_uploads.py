"""Forms on a disk that is full, and fields that there are not."""

from __future__ import annotations

import errno
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from fastapi import Request
from starlette.datastructures import FormData

from app.api.uploads import content_type, received_form
from app.errors import InvalidInput, Unavailable


class Upload:
    """As much of a request as a form is read from."""

    def __init__(self, form: FormData | OSError) -> None:
        self._form = form

    @asynccontextmanager
    async def form(self, **_: Any):
        if isinstance(self._form, OSError):
            raise self._form
        yield self._form


async def receive(form: FormData | OSError) -> FormData:
    request = cast(Request, Upload(form))
    async with received_form(request, ("name", "file"), max_files=1, max_fields=1, max_part_bytes=1) as received:
        return received


async def test_a_full_disk_is_said_and_other_faults_are_not_hidden():
    with pytest.raises(Unavailable, match="disk"):
        await receive(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="broken"):
        await receive(OSError(errno.EIO, "broken"))


async def test_an_unknown_field_is_named_in_printable_characters():
    assert await receive(FormData([("name", "a")])) == FormData([("name", "a")])
    with pytest.raises(InvalidInput, match="Unknown field 'no'; the fields are name and file"):
        await receive(FormData([("no\x00", "a")]))


@pytest.mark.parametrize(("header", "kind"), [(b"Multipart/Form-Data; boundary=x", "multipart/form-data"), (b"", "")])
def test_a_content_type_is_told_without_its_parameters(header, kind):
    assert content_type(Request({"type": "http", "headers": [(b"content-type", header)]})) == kind
