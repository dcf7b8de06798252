"""Word, Excel and PowerPoint files of before 2007: LibreOffice itself only with --office, since it starts slowly."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import libreoffice
from ingest.loading import conversion, libreoffice_kit
from ingest.loading.formats import DOC, PPT, XLS
from ingest.loading.parsers.old_office import is_encrypted
from tests.ingest.loading.parsing import codes, parsed
from tests.ingest.loading.reading import refusal, squeezed, take
from tests.ingest.made.content import ENGLISH, KOREAN
from tests.ingest.made.hancom import compound
from tests.ingest.made.office import docx, pptx, xlsx

STREAMS = {DOC: "WordDocument", XLS: "Workbook", PPT: "PowerPoint Document"}
MAKE = {DOC: docx, XLS: xlsx, PPT: pptx}
OLD = [pytest.param(kind, id=suffix[1:]) for kind, (_, suffix, _) in conversion.FORMATS.items()]
BIFF = {"password": ((0x809, bytes(16)), (0x2F, bytes(6))), "open": ((0x809, bytes(16)), (0x0A, b""), (0x2F, bytes(6)))}


def old(folder: Path, kind: str, **streams: bytes) -> Path:
    path = folder / "a"
    path.write_bytes(compound({STREAMS[kind]: b"x"} | streams))
    return path


def left() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{conversion.PREFIX}*"))


@pytest.fixture
def converting(monkeypatch, tmp_path):
    """Stands in for LibreOffice: a child that has the result at hand."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(libreoffice, "program", lambda: tmp_path)
    monkeypatch.setattr(conversion, "CHILD", "tests.ingest.loading.converting_child")


@pytest.mark.parametrize("kind", OLD)
async def test_without_libreoffice_it_is_said_what_to_install(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(libreoffice, "PROGRAMS", (tmp_path,))
    error = await refusal(old(tmp_path, kind))
    assert error.document_code == "unsupported_type"
    assert libreoffice.PACKAGES in error.detail
    assert conversion.FORMATS[kind][2] in error.detail


def test_libreoffice_is_installed_where_all_of_its_libraries_are(tmp_path, monkeypatch):
    monkeypatch.setattr(libreoffice, "PROGRAMS", (tmp_path / "none", tmp_path))
    for name in libreoffice.NEEDED:
        assert not libreoffice.is_installed()
        (tmp_path / name).touch()
    assert libreoffice.program() == tmp_path


@pytest.mark.parametrize(
    ("kind", "streams", "encrypted"),
    [
        (DOC, {"WordDocument": struct.pack("<5HH", *[0] * 5, 0x0100)}, True),
        (DOC, {"WordDocument": struct.pack("<5HH", *[0] * 5, 0xFEFF)}, False),
        (PPT, {"Current User": bytes(12) + struct.pack("<I", 0xF3D1C4DF)}, True),
        (PPT, {"Current User": bytes(12) + struct.pack("<I", 0xE391C05F)}, False),
        (XLS, {"Workbook": b"".join(struct.pack("<HH", n, len(b)) + b for n, b in BIFF["password"])}, True),
        (XLS, {"Workbook": b"".join(struct.pack("<HH", n, len(b)) + b for n, b in BIFF["open"])}, False),
    ],
)
def test_a_password_is_told_from_damage(tmp_path, kind, streams, encrypted):
    assert is_encrypted(old(tmp_path, kind, **streams)) is encrypted


@pytest.mark.parametrize("kind", OLD)
def test_macros_are_told_before_the_conversion_loses_them(tmp_path, kind):
    content = old(tmp_path, kind, **{"Macros/dir" if kind == DOC else "_VBA_PROJECT_CUR/dir": b"x"}).read_bytes()
    assert codes(parsed(tmp_path, content)) == ["macro_skipped"]
    assert codes(parsed(tmp_path, compound({STREAMS[kind]: b"x"}))) == []


@pytest.mark.parametrize(("kind", "language"), [(DOC, KOREAN), (XLS, ENGLISH), (PPT, KOREAN)])
async def test_the_converted_file_is_read_by_our_own_reader(tmp_path, converting, kind, language):
    today = MAKE[kind](language)
    loaded = await take(old(tmp_path, kind, Today=today, **{"_VBA_PROJECT_CUR/dir": b"x"}))
    assert loaded.media_type == kind
    assert squeezed(language.second) in squeezed(loaded.text)
    assert "macro_skipped" in [notice.code for notice in loaded.warnings]
    assert left() == []


async def test_what_goes_wrong_in_a_conversion_is_a_typed_error_and_leaves_nothing(tmp_path, converting):
    assert (await refusal(old(tmp_path, DOC))).document_code == "corrupt"
    assert (await refusal(old(tmp_path, DOC, Hang=b"x"), timeout_s=2)).document_code == "timeout"
    assert (await refusal(old(tmp_path, DOC, Abort=b"x"))).document_code == "corrupt"
    assert (await refusal(old(tmp_path, DOC, Greedy=b"x"))).document_code == "too_large"
    assert left() == []


async def test_what_a_killed_worker_left_goes_with_the_next_conversion(tmp_path, converting):
    folder = Path(tempfile.mkdtemp(prefix=conversion.PREFIX))
    (folder / "document.docx").write_bytes(b"a tenant's")
    with conversion._locked(folder):
        await take(old(tmp_path, DOC, Today=docx(KOREAN)))
        assert left() == [folder]
    await take(old(tmp_path, DOC, Today=docx(KOREAN)))
    assert left() == []


def test_libreofficekit_is_called_by_its_tables(tmp_path, monkeypatch):
    calls = []

    def table(*functions):
        entries = (ctypes.c_void_p * 8)(0, *(ctypes.cast(each, ctypes.c_void_p).value for each in functions))
        kept.append((functions, entries))
        return ctypes.addressof(kept[-1][1])

    def instance(address):
        kept.append(ctypes.c_void_p(address))
        return ctypes.addressof(kept[-1])

    kept: list = []
    destroy = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda it: None)
    save = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *[ctypes.c_char_p] * 3)(
        lambda it, url, form, options: calls.append(("save", url, form)) or 1
    )
    document = instance(table(destroy, save))
    load = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
        lambda it, url: calls.append(("load", url)) or (document if b"good" in url else None)
    )
    office = instance(table(destroy, load))
    hook = lambda program, profile: calls.append(("start", program, profile)) or office  # noqa: E731
    monkeypatch.setattr(libreoffice_kit.ctypes, "CDLL", lambda name: SimpleNamespace(libreofficekit_hook_2=hook))

    way = (Path("/opt/office"), Path("/w/good.doc"), Path("/w/good.docx"))
    assert libreoffice_kit.convert(*way, profile=Path("/w/profile"))
    assert calls == [
        ("start", b"/opt/office", b"file:///w/profile"),
        ("load", b"file:///w/good.doc"),
        ("save", b"file:///w/good.docx", b"docx"),
    ]
    assert not libreoffice_kit.convert(way[0], Path("/w/bad.doc"), way[2], profile=Path("/w/profile"))


@pytest.fixture
def office(request) -> None:
    if not request.config.getoption("--office"):
        pytest.skip("LibreOffice takes seconds to start: --office, of make check-all, runs it")
    if not libreoffice.is_installed():
        pytest.skip(f"LibreOffice is not installed: apt-get install {libreoffice.PACKAGES}")


def saved_as_before_2007(folder: Path, kind: str, content: bytes) -> Path:
    _, suffix, today = conversion.FORMATS[kind]
    (folder / f"made{today}").write_bytes(content)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", "--headless", profile, "--convert-to", suffix[1:], "--outdir", str(folder)]
    subprocess.run([*command, str(folder / f"made{today}")], check=True, capture_output=True, timeout=300)
    return folder / f"made{suffix}"


@pytest.mark.parametrize("language", [KOREAN, ENGLISH], ids=["ko", "en"])
@pytest.mark.parametrize("kind", OLD)
async def test_libreoffice_converts_in_the_sandbox(tmp_path, office, kind, language):
    path = saved_as_before_2007(tmp_path, kind, MAKE[kind](language))
    loaded = await take(path, timeout_s=300)
    assert loaded.media_type == kind
    text = squeezed(loaded.text)
    cells = [cell for row in language.table for cell in row]
    assert [each for each in [language.sentence, language.second, *cells] if squeezed(each) not in text] == []
    assert "| --- |" in loaded.text
    assert left() == []


async def test_libreoffice_is_ended_with_its_limits_and_damage_is_told(tmp_path, office):
    path = saved_as_before_2007(tmp_path, DOC, docx(ENGLISH))
    assert (await refusal(path, timeout_s=1)).document_code == "timeout"
    assert (await refusal(path, memory_mb=256, timeout_s=300)).document_code == "too_large"
    cut = tmp_path / "cut.doc"
    cut.write_bytes(compound({"WordDocument": b"\xec\xa5\xc1\x00" + bytes(2000)}))
    assert (await refusal(cut, timeout_s=300)).document_code == "corrupt"
    assert left() == []
    running = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout  # noqa: ASYNC221
    assert conversion.CHILD not in running
