"""Files made to do harm: each ends in a typed error or in its text, and costs a bounded amount of everything."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
import typing
import zipfile
import zlib

import pytest

from app.errors import DocumentErrorCode
from tests.conftest import ROOT
from tests.ingest.loading.reading import refusal, take
from tests.ingest.made import ENGLISH, KOREAN, MAKERS
from tests.ingest.made.content import zipped
from tests.ingest.made.hancom import compound, hwpx
from tests.ingest.made.office import docx, epub, pptx, xlsx
from tests.ingest.made.open_document import odp, ods, odt

CODES = set(typing.get_args(DocumentErrorCode))
PARTS = {
    "docx": (docx, "word/document.xml"), "xlsx": (xlsx, "xl/worksheets/sheet1.xml"),
    "pptx": (pptx, "ppt/slides/slide1.xml"), "epub": (epub, "OEBPS/a.xhtml"), "hwpx": (hwpx, "Contents/section0.xml"),
    "odt": (odt, "content.xml"), "ods": (ods, "content.xml"), "odp": (odp, "content.xml"),
}  # fmt: skip
BOMB_MB = 600
ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">{ENTITIES}]><a>&a9;</a>'


@pytest.fixture(scope="module")
def bomb() -> bytes:
    packer = zlib.compressobj(1, wbits=-15)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(BOMB_MB)) + packer.flush()


def planted(package: bytes, name: str, bomb: bytes, declared: int) -> bytes:
    """The package with the bomb in the place of a part, whatever size it declares."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        parts = {each: archive.read(each) for each in archive.namelist() if each != name}
    buffer = io.BytesIO(zipped(parts))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, bomb)
        info = archive.getinfo(name)
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, declared
        archive.fp.seek(info.header_offset)
        archive.fp.write(info.FileHeader())
        archive.fp.seek(archive.start_dir)
    return buffer.getvalue()


@pytest.mark.parametrize("declared", [BOMB_MB << 20, 1000], ids=["honest", "lying"])
@pytest.mark.parametrize("kind", PARTS)
async def test_a_zip_bomb_is_refused(tmp_path, bomb, kind, declared):
    make, part = PARTS[kind]
    (tmp_path / "a").write_bytes(planted(make(KOREAN), part, bomb, declared))
    code = (await refusal(tmp_path / "a")).document_code
    assert code == ("too_large" if declared > 1000 else "corrupt")


async def test_a_bomb_in_a_hwp_is_refused(tmp_path, bomb):
    header = b"HWP Document File".ljust(36, b"\0") + b"\1\0\0\0"
    (tmp_path / "a").write_bytes(compound({"FileHeader": header, "BodyText/Section0": bomb}))
    assert (await refusal(tmp_path / "a")).document_code == "too_large"


async def test_what_lies_in_a_document_is_not_unpacked(tmp_path, bomb):
    nested = zipped({"bomb": bomb})
    for _ in range(5):
        nested = zipped({"a.zip": nested, "b.zip": nested})
    whole = docx(ENGLISH, **{"word/embeddings/a.zip": nested, "word/embeddings/b.docx": docx(KOREAN)})
    (tmp_path / "a").write_bytes(whole)
    text = (await take(tmp_path / "a")).text
    assert ENGLISH.sentence in text
    assert KOREAN.sentence not in text
    (tmp_path / "b").write_bytes(nested)
    assert (await take(tmp_path / "b")).text == "a.zip\nb.zip"


@pytest.mark.parametrize("kind", PARTS)
async def test_entities_do_not_multiply(tmp_path, kind):
    make, part = PARTS[kind]
    (tmp_path / "a").write_bytes(make(KOREAN, **{part: LAUGHS.encode()}))
    assert (await refusal(tmp_path / "a", memory_mb=512, timeout_s=20)).document_code == "corrupt"


@pytest.mark.parametrize("kind", MAKERS)
def test_damaged_files_are_read_or_refused(tmp_path, kind):
    """A crash would be a typed error, too (test_load); here nothing may crash, or raise what is no DocumentError."""
    command = [sys.executable, "-m", "tests.ingest.loading.mutate", kind, "40", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout)
    assert set(outcomes) <= CODES | {"text"}
    # Of mail everything reads as something.
    assert len(outcomes) > 1 or kind == "eml", "nothing was damaged"


@pytest.mark.parametrize("kind", ["pdf", "docx", "hwp"])
async def test_a_file_that_was_cut_off_is_explained(tmp_path, kind):
    whole = MAKERS[kind](KOREAN)
    (tmp_path / "a").write_bytes(whole[: len(whole) // 2])
    assert (await refusal(tmp_path / "a")).document_code in ("corrupt", "empty", "unsupported_type")


async def test_a_text_that_is_too_long_names_the_limit(tmp_path):
    (tmp_path / "a").write_text("가나다라 " * 400)
    error = await refusal(tmp_path / "a", max_chars=1000)
    assert error.document_code == "too_large"
    assert "2,000 characters; at most 1,000 are accepted (KYUJANG_LOAD_MAX_CHARS)" in error.detail
    assert len((await take(tmp_path / "a", max_chars=2000)).text) == 2000


@pytest.mark.parametrize(
    ("write", "code"),
    [
        ("channel._messages.write", "too_large"),
        ("channel.send({}); channel._messages.write", "too_large"),
        ("sys.stdout.buffer.write", "internal"),
        ("sys.stderr.buffer.write", "internal"),
    ],
    ids=["message", "payload", "stdout", "stderr"],
)
async def test_a_reader_that_never_stops_talking_fills_no_memory(tmp_path, reader, write, code):
    first, _, write = write.rpartition("; ")
    reader(f"import sys\n{first}\nfor _ in range(300): {write}(b'x' * (1 << 20))\nsys.exit(1)")
    tracemalloc.start()
    try:
        assert (await refusal(tmp_path / "a", max_chars=1000)).document_code == code
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


async def test_half_an_answer_is_none(tmp_path, reader):
    page = '[None, "text", False, "", "", [], 9, 0]'
    reader(f'channel.send({{"media_type": "text/plain", "title": None, "pages": [{page}]}}, [b"half"])')
    assert (await refusal(tmp_path / "a")).document_code == "corrupt"


async def test_a_reader_is_limited(tmp_path, reader):
    limits = "[resource.getrlimit(getattr(resource, f'RLIMIT_{name}')) for name in ('AS', 'CPU', 'FSIZE', 'CORE')]"
    reader(f"import resource\nchannel.send({{'error': {{'code': 'corrupt', 'detail': str({limits})}}}})")
    error = await refusal(tmp_path / "a", memory_mb=1024, timeout_s=9.5)
    assert error.detail == str([(1 << 30, 1 << 30), (10, 11), (0, 0), (0, 0)])
