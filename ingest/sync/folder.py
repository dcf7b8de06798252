"""Finds the files of a folder, and turns their paths into document ids."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import StringConstraints, TypeAdapter, ValidationError

from app.errors import KyujangError
from app.language.marks import cut_runs
from app.language.unicode import clean
from app.storage.document_ids import MADE_BY_THE_SERVICE, NewDocumentId

TAKEN: TypeAdapter[str] = TypeAdapter(NewDocumentId)
# What the service of 0.1 took: where a path had more, its document has a substitute. On pydantic's regex engine, whose
# \w differs from Python's own.
TAKEN_BY_0_1: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[\w.\-:/ ]{1,200}$")])
MAX_SUBSTITUTE, MAX_PREFIX, MAX_LABEL = 200, 100, 200
# The end of a substitute. A path that ends like one gets a substitute too, so that the two cannot collide.
SUBSTITUTE = re.compile(r":[0-9a-f]{16}$")
# Hidden files, and what office programs and operating systems leave in folders.
NEVER = (".*", "~$*", "Thumbs.db", "desktop.ini", "__MACOSX")


@dataclass(frozen=True, slots=True)
class Source:
    """A file, the id of its document, the label of its folder, and the id that 0.1 gave it if that is another."""

    path: Path
    id: str
    folder: str | None = None
    earlier_id: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.id,) if self.earlier_id is None else (self.id, self.earlier_id)

    def as_stored(self, stored: Container[str]) -> Source:
        """Return it under the id that its document has already: a document keeps 0.1's."""
        return next((replace(self, id=each) for each in self.ids if each in stored), self)


def find(
    paths: Sequence[Path], *, include: Sequence[str], exclude: Sequence[str], prefix: str = "", label: str | None = None
) -> list[Source]:
    """Return the files in `paths`, in the order of their ids; a path without any is an error.

    A pattern without a slash is matched against names, one with a slash against the path below the folder, where `*`
    matches slashes too. Only `exclude` skips folders. Links to files are read; links to folders are not followed, since
    they may lead outside or in a circle. Raises KyujangError.
    """

    def skip(relative: str, is_file: bool) -> bool:
        if any(_matches(relative, pattern) for pattern in (*NEVER, *exclude)):
            return True
        return is_file and bool(include) and not any(_matches(relative, pattern) for pattern in include)

    return _sources(paths, skip, prefix, label)


def present(paths: Sequence[Path], *, prefix: str = "") -> set[str]:
    """Return the ids of all files, those of 0.1 and of files that find() skips included. Raises KyujangError."""
    return {each for source in _sources(paths, lambda *_: False, prefix, None) for each in source.ids}


def document_id(relative: str, prefix: str = "", rule: TypeAdapter[str] = TAKEN) -> str:
    """Return the path if the service accepts it as an id; else something readable that ends with the path's hash.

    It is the same on every file system, NFC or NFD.
    """
    wanted = unicodedata.normalize("NFC", prefix + relative)
    return wanted if _fits(wanted, rule) else _substitute(wanted, prefix, of=wanted)


def file_name(source: Source) -> str:
    """Return the document's source; a name on disk may hold bytes that are not text."""
    return unicodedata.normalize("NFC", source.path.name).encode(errors="replace").decode()


def _substitute(wanted: str, prefix: str, *, of: str) -> str:
    digest = hashlib.sha256(of.encode(errors="surrogatepass")).hexdigest()[:16]
    kept = prefix if wanted.startswith(prefix) else ""
    readable = cut_runs(kept + "".join(map(_readable, wanted[len(kept) :])))
    if readable.startswith(MADE_BY_THE_SERVICE):
        readable = readable.replace("_", "-", 1)
    room = MAX_SUBSTITUTE - len(":") - len(digest)
    if len(readable) > room:
        # The file's name says more than the folders above it.
        readable = f"{prefix}_{readable[-(room - len(prefix) - 1) :]}"
    return f"{readable}:{digest}"


def _sources(paths: Sequence[Path], skip: Callable[[str, bool], bool], prefix: str, label: str | None) -> list[Source]:
    prefix = unicodedata.normalize("NFC", prefix)
    if prefix and (len(prefix) > MAX_PREFIX or document_id("", prefix) != prefix):
        raise KyujangError(
            f"No document id can begin with {prefix!r}: a prefix has at most {MAX_PREFIX} characters, all "
            f"printable, and does not begin with {MADE_BY_THE_SERVICE}."
        )
    found: dict[str, Source] = {}
    for path in paths:
        for source in _of_one(path, skip, prefix, label):
            other = found.setdefault(source.id, source)
            if other.path.resolve() != source.path.resolve():
                raise KyujangError(
                    f"{other.path} and {source.path} would both be document {source.id!r}: add the folders one by one, "
                    "each with its own --prefix."
                )
    return [found[each] for each in sorted(found)]


def _of_one(path: Path, skip: Callable[[str, bool], bool], prefix: str, label: str | None) -> Iterator[Source]:
    root, files = _files(path, skip)
    if not files:
        raise KyujangError(f"There is no file to add in {path}.")
    folder = _label(root, label)
    taken: set[str] = set()
    # NFC first: of two names that differ in nothing else, that one keeps the id.
    for relative in sorted(files, key=lambda each: (not unicodedata.is_normalized("NFC", each), each)):
        name, earlier = document_id(relative, prefix), document_id(relative, prefix, TAKEN_BY_0_1)
        if name in taken:
            name, earlier = (_substitute(each, prefix, of=prefix + relative) for each in (name, earlier))
        taken.add(name)
        yield Source(root / relative, name, folder, earlier if earlier != name else None)


def _files(path: Path, skip: Callable[[str, bool], bool]) -> tuple[Path, list[str]]:
    """Return the folder and the paths below it. A single file counts as one of its folder."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        _unreadable(error)
    if stat.S_ISDIR(mode):
        return path, list(_walk(path, skip))
    if not stat.S_ISREG(mode):
        raise KyujangError(f"{path} is neither a file nor a folder.")
    return path.parent, [path.name]


def _walk(root: Path, skip: Callable[[str, bool], bool]) -> Iterator[str]:
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        above = "" if folder == str(root) else f"{os.path.relpath(folder, root)}/"
        folders[:] = [name for name in folders if not skip(above + name, False)]
        for name in files:
            if not skip(above + name, True) and _is_file(os.path.join(folder, name)):
                yield above + name


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False  # a dangling link
    except OSError as error:
        _unreadable(error)


def _unreadable(error: OSError) -> NoReturn:
    raise KyujangError(f"{error.filename} cannot be read: {error.strerror}. Fix that or skip it (--exclude).")


def _label(root: Path, label: str | None) -> str:
    name = root.resolve().name if label is None else label
    try:
        name = clean(name)
    except ValueError:
        name = ""
    if not name.strip() or len(name) > MAX_LABEL:
        raise KyujangError(
            f"{root} has no name to label its documents with: give one of 1 to {MAX_LABEL} characters (--label)."
        )
    return name


def _matches(relative: str, pattern: str) -> bool:
    relative = unicodedata.normalize("NFC", relative)
    pattern = unicodedata.normalize("NFC", pattern).removeprefix("./").rstrip("/")
    if "/" not in pattern:
        return fnmatchcase(relative.rpartition("/")[2], pattern)
    if pattern.startswith("**/") and _matches(relative, pattern[3:]):
        return True
    return fnmatchcase(relative, pattern)


def _fits(text: str, rule: TypeAdapter[str]) -> bool:
    return not text.startswith(MADE_BY_THE_SERVICE) and not SUBSTITUTE.search(text) and _validates(text, rule)


@cache
def _readable(character: str) -> str:
    return character if _validates(character, TAKEN_BY_0_1) else "_"


def _validates(text: str, rule: TypeAdapter[str]) -> bool:
    try:
        rule.validate_python(text)
    except ValidationError:
        return False
    return True
