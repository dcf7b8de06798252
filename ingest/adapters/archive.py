"""Unpack the two files an adapter is made of from an archive of a PEFT folder. Nothing else is ever written.

Files get our own names in our own folder, so that no name in the archive can lead out of it.
"""

from __future__ import annotations

import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn, cast

from app.language.marks import cut_runs
from app.storage.peft_folder import CONFIG, WEIGHTS
from ingest.adapters.rejection import Rejected

MAX_CONFIG_BYTES = 1 << 20
MAX_ENTRIES = 1000
READ_BYTES = 1 << 20
GZIP = b"\x1f\x8b"
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
# Pickles that trainers leave beside the weights; not one of them is read.
LEFTOVERS = frozenset({"training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt"})
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


@dataclass(frozen=True, slots=True)
class Unpacked:
    config: Path
    weights: Path
    ignored: list[str]

    @property
    def detail(self) -> str:
        some = ", ".join(self.ignored[:5]) + (", …" if len(self.ignored) > 5 else "")
        return f"{CONFIG} and {WEIGHTS}" + (f"; not needed and left out: {some}" if self.ignored else "")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive. `path` has no leading './'."""

    path: PurePosixPath
    content: IO[bytes]


def unpack(archive: Path, folder: Path, *, max_bytes: int) -> Unpacked:
    """Unpack the two files, of `max_bytes` at most together. Raises Rejected."""
    found: dict[str, PurePosixPath] = {}
    seen: set[str] = set()
    ignored: list[str] = []
    try:
        for entry in _entries(archive, max_bytes):
            _refuse_twice(entry.path, seen)
            if entry.path.name in (CONFIG, WEIGHTS) and len(entry.path.parts) <= 2:
                if entry.path.name in found:
                    _refuse(f"There is a second {entry.path.name}, at {_shown(entry.path)}. Send one adapter.")
                found[entry.path.name] = entry.path.parent
                most = MAX_CONFIG_BYTES if entry.path.name == CONFIG else max_bytes
                _write(entry.content, folder / entry.path.name, most)
            else:
                _refuse_pickled_weights(entry.path)
                ignored.append(_shown(entry.path))
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        _refuse(f"The archive is damaged: {type(error).__name__}. Pack it again as .tar.gz or .zip.")
    for name in (CONFIG, WEIGHTS):
        if name not in found:
            _refuse(f"There is no {name}, neither at the top nor in one folder. Send the folder that PEFT saved.")
    if len(set(found.values())) > 1:
        _refuse(f"{CONFIG} and {WEIGHTS} are in different folders.")
    return Unpacked(folder / CONFIG, folder / WEIGHTS, ignored)


def _entries(archive: Path, max_bytes: int) -> Iterator[Entry]:
    with archive.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith(GZIP):
            yield from _tar(file, max_bytes)
        elif head == b"PK\x03\x04":
            yield from _zip(file, max_bytes)
        else:
            _refuse("This is neither a .tar.gz nor a .zip.")


def _tar(file: IO[bytes], max_bytes: int) -> Iterator[Entry]:
    # Headers, padding and what is passed over count, too: all of it is unpacked.
    bounded = cast(IO[bytes], _Inflated(file, max_bytes + (MAX_ENTRIES << 12)))
    with tarfile.open(fileobj=bounded, mode="r|") as tar:
        for number, member in enumerate(tar):
            _refuse_too_many(number)
            path = _path(member.name)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                _refuse(f"{_shown(path)} is a link, a device or a sparse file; an adapter has plain files only.")
            content = tar.extractfile(member)
            assert content is not None
            yield Entry(path, content)


class _Inflated:
    """A gzip file's content, up to a limit."""

    def __init__(self, file: IO[bytes], max_bytes: int) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(wbits=31)
        self._left = max_bytes

    def read(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size and (packed := self._packed()):
            got += self._inflate.decompress(packed, size - len(got))
        self._left -= len(got)
        if self._left < 0:
            _refuse_size()
        return bytes(got)

    def _packed(self) -> bytes:
        """Return what is to be inflated next, nothing at the end. A gzip file may have several members."""
        if not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(1 << 16)
            if not packed:
                raise EOFError
            return packed
        rest = self._inflate.unused_data or self._file.read(1 << 16)
        if not rest.startswith(GZIP):
            return b""
        self._inflate = zlib.decompressobj(wbits=31)
        return rest


def _zip(file: IO[bytes], max_bytes: int) -> Iterator[Entry]:
    with zipfile.ZipFile(file) as archive:
        left = max_bytes
        for number, info in enumerate(archive.infolist()):
            _refuse_too_many(number)
            path = _path(info.filename)
            mode = info.external_attr >> 16
            if info.is_dir():
                continue
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                _refuse(f"{_shown(path)} is a link or a device; an adapter has plain files only.")
            if info.flag_bits & 1:
                _refuse("The archive is encrypted. Pack it without a password.")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                _refuse("The archive is packed in an unusual way. Pack it as .tar.gz, or as .zip with deflate.")
            left -= info.file_size
            if left < 0:
                _refuse_size()
            # Reading ends at the size that the directory gives, whatever is packed.
            with archive.open(info) as content:
                yield Entry(path, content)


def _path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\x00" in name:
        _refuse(f"{_shown(path)} leads out of the archive. Pack the folder itself, without absolute paths or '..'.")
    return path


def _refuse_twice(path: PurePosixPath, seen: set[str]) -> None:
    """Refuse a file that is there twice, also in another case or Unicode form: readers differ in which they take."""
    name = unicodedata.normalize("NFC", cut_runs(str(path))).casefold()
    if name in seen:
        _refuse(f"{_shown(path)} is in the archive twice.")
    seen.add(name)


def _refuse_pickled_weights(path: PurePosixPath) -> None:
    name = path.name.lower()
    if name.endswith(PICKLES) and name not in LEFTOVERS and not name.startswith("rng_state"):
        _refuse(
            f"{_shown(path)} is a pickle, which can run code when it is read. Save the adapter with "
            "safe_serialization=True (PEFT's default), which writes adapter_model.safetensors."
        )


def _refuse_too_many(number: int) -> None:
    if number >= MAX_ENTRIES:
        _refuse(f"The archive has more than {MAX_ENTRIES} entries. Send the adapter's folder alone.")


def _write(content: IO[bytes], target: Path, max_bytes: int) -> None:
    size = 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while part := content.read(READ_BYTES):
            size += len(part)
            if size > max_bytes:
                _refuse(f"{target.name} is too large.")
            file.write(part)


def _shown(path: PurePosixPath) -> str:
    text = "".join(character if character.isprintable() else "?" for character in str(path))
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


def _refuse_size() -> NoReturn:
    _refuse("Unpacked, the archive is larger than this service takes (KYUJANG_MAX_ADAPTER_MB).")


def _refuse(detail: str) -> NoReturn:
    raise Rejected("archive", detail)
