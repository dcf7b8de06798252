"""Archives that a check must refuse, each with the check and a word of its reason."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import unicodedata
import zipfile

from tests.ingest.adapters.made import (
    CONFIG,
    WEIGHTS,
    files,
    tar_gz,
    tensors,
    zipped,
)

FEW = range(2)


def small(**changed) -> dict[str, bytes]:
    return files(tensors(layers=FEW, **changed))


def in_members(archive: bytes) -> bytes:
    content = gzip.decompress(archive)
    return b"".join(gzip.compress(content[start : start + 100_000]) for start in range(0, len(content), 100_000))


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_with(*entries: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return made.getvalue()


def zip_link() -> bytes:
    entry = zipfile.ZipInfo(WEIGHTS)
    entry.external_attr = 0o120777 << 16
    return zip_with((CONFIG, b"{}"), (entry, b"/etc/passwd"))


def lying_zip() -> bytes:
    """Its directory says that the weights are a few bytes long."""
    content = zip_with((CONFIG, small()[CONFIG]), (WEIGHTS, bytes(200 << 20)))
    true, false = struct.pack("<I", 200 << 20), struct.pack("<I", 100)
    return content.replace(true, false)


BAD_ARCHIVES = {
    "no archive": (lambda: b"hello", "archive", "neither"),
    "nothing": (lambda: b"", "archive", "neither"),
    "a plain tar": (lambda: gzip.decompress(tar_gz(small())), "archive", "neither"),
    "a truncated tar": (lambda: tar_gz(small())[:-2000], "archive", "damaged"),
    "a truncated zip": (lambda: zipped(small())[:-2000], "archive", "damaged"),
    "gzip of noise": (lambda: gzip.compress(b"noise" * 500), "archive", "damaged"),
    "slip": (lambda: tar_gz({**small(), "../../evil": b"x"}), "archive", "leads out"),
    "slip with the right name": (lambda: tar_gz(small(), below="../"), "archive", "leads out"),
    "slip in a zip": (lambda: zipped({**small(), "a/../../evil": b"x"}), "archive", "leads out"),
    "an absolute path": (lambda: tar_gz(small(), below="/etc/"), "archive", "leads out"),
    "a path of Windows": (lambda: zip_with(("..\\..\\evil", b"x")), "archive", "leads out"),
    "a drive of Windows": (lambda: zip_with(("C:/evil", b"x")), "archive", "leads out"),
    "a symbolic link": (lambda: tar_gz(small(), extra=[link("a", "/etc/passwd")]), "archive", "link"),
    "weights as a link": (lambda: tar_gz({CONFIG: b"{}"}, extra=[link(WEIGHTS, "/etc/passwd")]), "archive", "link"),
    "a hard link": (lambda: tar_gz(small(), extra=[link("a", CONFIG, tarfile.LNKTYPE)]), "archive", "link"),
    "a device": (lambda: tar_gz(small(), extra=[link("zero", "", tarfile.CHRTYPE)]), "archive", "device"),
    "a pipe": (lambda: tar_gz(small(), extra=[link("pipe", "", tarfile.FIFOTYPE)]), "archive", "device"),
    "a link in a zip": (zip_link, "archive", "link"),
    "a bomb": (lambda: tar_gz({**small(), "zeros.txt": bytes(80 << 20)}), "archive", "KYUJANG_MAX_ADAPTER_MB"),
    "a bomb in a zip": (lambda: zipped({**small(), "zeros.txt": bytes(80 << 20)}), "archive", "KYUJANG_MAX_ADAPTER_MB"),
    "a zip that lies about its size": (lying_zip, "archive", "damaged"),
    "many small bombs": (
        lambda: zip_with(*((f"{n}.txt", bytes(1 << 20)) for n in range(80))),
        "archive",
        "KYUJANG_MAX_ADAPTER_MB",
    ),
    "many entries": (lambda: zip_with(*((f"{n}", b"") for n in range(1100))), "archive", "entries"),
    "a zip of an odd method": (lambda: zip_with(("a", b"x"), method=zipfile.ZIP_LZMA), "archive", "unusual"),
    "a huge configuration": (lambda: tar_gz({**small(), CONFIG: b" " * (2 << 20)}), "archive", "too large"),
    "twice": (lambda: zip_with((CONFIG, b"{}"), (CONFIG, b"{}")), "archive", "twice"),
    "twice but for the letters' form": (
        lambda: tar_gz({**small(), "말투.md": b"", unicodedata.normalize("NFD", "말투.md"): b""}),
        "archive",
        "twice",
    ),
    "two adapters": (lambda: tar_gz({**small(), f"b/{CONFIG}": b"{}"}), "archive", "second"),
    "in two folders": (lambda: tar_gz({f"a/{CONFIG}": b"{}", f"b/{WEIGHTS}": b""}), "archive", "different folders"),
    "no weights": (lambda: tar_gz({CONFIG: b"{}"}), "archive", WEIGHTS),
    "no configuration": (lambda: tar_gz({WEIGHTS: b""}), "archive", CONFIG),
    "too deep": (lambda: tar_gz(small(), below="a/b/"), "archive", "no adapter_config.json"),
    "a pickle": (lambda: tar_gz({CONFIG: b"{}", "adapter_model.bin": b"\x80\x04"}), "archive", "pickle"),
    "a pickle beside": (lambda: zipped({**small(), "adapter_model.PT": b"\x80"}), "archive", "pickle"),
}
