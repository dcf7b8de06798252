"""Forms on a disk that is full, and fields that there are not."""

from __future__ import annotations

import errno
import time
from typing import Any

import pytest
from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from app.api.form_parser import decoded_words
from app.api.uploads import content_type, received_form
from app.errors import BadRequest, InvalidInput, Unavailable

BOUNDARY = b"----of-the-test"
NAME = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
FILE = b'--%b\r\nContent-Disposition: form-data; name="file"; %b\r\n\r\n%b\r\n'
END = b"--" + BOUNDARY + b"--\r\n"


async def receive(body: bytes) -> FormData:
    sent = [{"type": "http.request", "body": body[:40], "more_body": True}, {"type": "http.request", "body": body[40:]}]

    async def messages() -> dict[str, Any]:
        return sent.pop(0)

    kind = b"multipart/form-data; boundary=" + BOUNDARY
    request = Request({"type": "http", "headers": [(b"content-type", kind)]}, messages)
    async with received_form(request, ("name", "file"), max_files=3, max_fields=1, max_part_bytes=99) as received:
        return received


async def test_a_full_disk_is_said_and_other_faults_are_not_hidden(monkeypatch):
    for number, (kind, words) in {errno.ENOSPC: (Unavailable, "disk"), errno.EIO: (OSError, "broken")}.items():

        async def fail(_, number=number):
            raise OSError(number, "broken")

        monkeypatch.setattr("app.api.uploads.FormParser.parse", fail)
        with pytest.raises(kind, match=words):
            await receive(b"")


async def test_an_unknown_field_is_named_in_printable_characters():
    assert list(await receive(NAME % (BOUNDARY, b"name", b"a") + END)) == ["name"]
    with pytest.raises(InvalidInput, match="Unknown field 'no'; the fields are name and file"):
        await receive(NAME % (BOUNDARY, b"no\x00", b"a") + END)


NAMES = {
    b'filename="plain.txt"': "plain.txt",
    'filename="한글; \\"가\\".txt"'.encode(): '한글; "가".txt',
    b"filename=\"____.txt\"; filename*=UTF-8''%ED%95%9C.txt": "한.txt",
    b"filename*=utf-8'ko'%ED%95%9C%20%EA%B8%80.txt; filename=x.txt": "한 글.txt",
    b"FileName*=UTF-8''%ED%95%9C.txt": "한.txt",
    b"filename*=\"UTF-8''%ED%95%9C.txt\"": "한.txt",
    b"filename*=euc-kr''%C7%D1.txt": "한.txt",
    b"filename=\"plain.txt\"; filename*=UTF-8''%ff%fe": "plain.txt",
    b"filename=\"plain.txt\"; filename*=nonsense''a": "plain.txt",
    b"filename=\"plain.txt\"; filename*=punycode''a": "plain.txt",
    b"filename=\"plain.txt\"; filename*=": "plain.txt",
    b"filename*=UTF-8''%ff": "",
    b"filename=\"a; filename*=UTF-8''b\"": "a; filename*=UTF-8''b",
    b'filename="=?utf-8?B?7ZWcLnR4dA==?="': "한.txt",
    b'filename="=?UTF-8?q?=ED=95=9C_=EA=B8=80.txt?="': "한 글.txt",
    b'filename="=?euc-kr?B?x9E=?= =?utf-8?B?7ZWc?=.hwp"': "한한.hwp",
    '한 =?utf-8*ko?B?7ZWc?='.encode().join((b'filename="', b'"')): "한 한",
    b'filename="=?utf-8?B?!!?= =?utf-8?X?a?= =?no?Q?a?= =?utf-8?Q?=ff?= a=?b"':
        "=?utf-8?B?!!?= =?utf-8?X?a?= =?no?Q?a?= =?utf-8?Q?=ff?= a=?b",
}  # fmt: skip


@pytest.mark.parametrize("sent", NAMES, ids=repr)
async def test_a_file_has_the_name_that_its_client_means(sent):
    form = await receive(FILE % (BOUNDARY, sent, b"content") + END)
    file = form["file"]
    assert isinstance(file, UploadFile)
    assert file.filename == NAMES[sent]


@pytest.mark.parametrize("unit", ["=?utf-8?q?", "=?", "=?utf-8?q?a?= ", "=?utf-8?q?a?=" + " " * 50, "?=", "a "])
def test_names_are_decoded_in_linear_time(unit):
    def seconds(length: int) -> float:
        name, spent = unit * (length // len(unit)), []
        for _ in range(5):
            begun = time.thread_time()
            decoded_words(name)
            spent.append(time.thread_time() - begun)
        return min(spent)

    assert seconds(80_000) < 3 * seconds(40_000) + 0.005


WHOLE = b"".join(FILE % (BOUNDARY, b'filename="%d.txt"' % n, b"content %d" % n) for n in range(3)) + END


@pytest.mark.parametrize("left", range(1, len(WHOLE), 7))
async def test_a_form_that_is_cut_is_refused(left):
    """Wherever it is, but in what follows the last boundary."""
    assert len((await receive(WHOLE)).getlist("file")) == len((await receive(WHOLE[:-2])).getlist("file")) == 3
    with pytest.raises(BadRequest):
        await receive(WHOLE[: min(left, len(WHOLE) - 3)])


@pytest.mark.parametrize(("header", "kind"), [(b"Multipart/Form-Data; boundary=x", "multipart/form-data"), (b"", "")])
def test_a_content_type_is_told_without_its_parameters(header, kind):
    assert content_type(Request({"type": "http", "headers": [(b"content-type", header)]})) == kind
