"""Which files an add finds, and the ids their paths become."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app.errors import KyujangError
from app.storage.document_ids import NewDocumentId
from ingest.sync.folder import Source, document_id, find, present

SERVICE_TAKES: TypeAdapter[str] = TypeAdapter(NewDocumentId)
# What a path below a folder can be on Linux: bytes that are no text, too, as lone surrogates.
NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=120).filter(
    lambda n: n not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PREFIXES = st.sampled_from(["", "2026/", "부서:", "(가) ", "x" * 100])


def ids(paths, *, include=(), exclude=(), **more):
    return [source.id for source in find(paths, include=include, exclude=exclude, **more)]


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@given(PATHS, PREFIXES)
@example("doc_1.txt", "")
@example("보고서 (최종).hwp", "")
@example("가" * 300, "부서:")
@example("x\udcff.txt", "")
@example("²/क्षत्रिय.txt", "")
@example("a\n", "")
@example("e" + "\u0301" * 31, "")
def test_every_path_has_an_id_that_the_service_takes_as_it_is(path, prefix):
    made = document_id(path, prefix)
    assert SERVICE_TAKES.validate_python(made) == made
    assert document_id(path, prefix) == made


@given(PATHS)
def test_a_path_has_one_id_on_every_file_system(path):
    assert document_id(unicodedata.normalize("NFD", path)) == document_id(unicodedata.normalize("NFC", path))


@given(st.sets(PATHS.map(lambda path: unicodedata.normalize("NFC", path)), max_size=20))
def test_no_two_paths_have_one_id(paths):
    with_substitutes = paths | {document_id(path) for path in paths}
    assert len({document_id(path) for path in with_substitutes}) == len(with_substitutes)


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("a/b.txt", r"a/b\.txt"),
        ("규정/연차 휴가.hwp", r"규정/연차 휴가\.hwp"),
        ("보고서 (최종) v2.pdf", r"보고서 \(최종\) v2\.pdf"),
        ("deep/" * 60 + "end.txt", r"(deep/){60}end\.txt"),
        ("doc_1.txt", r"doc-1\.txt:[0-9a-f]{16}"),
        ("two\nlines (1).txt", r"two_lines _1_\.txt:[0-9a-f]{16}"),
        ("deep/" * 110 + "end.txt", r"_.*deep/end\.txt:[0-9a-f]{16}"),
    ],
)
def test_an_id_can_be_read(path, made):
    assert re.fullmatch(made, document_id(path))


@pytest.mark.parametrize(
    ("path", "prefix", "ids"),
    [
        ("a/b.txt", "", ["a/b.txt"]),
        ("doc_1.txt", "", ["doc-1.txt:bcaabd834f7b4e31"]),
        ("보고서 (최종).hwp", "", ["보고서 (최종).hwp", "보고서 _최종_.hwp:8c6175c342390ec6"]),
        ("a+b&c#d?.txt", "in/", ["in/a+b&c#d?.txt", "in/a_b_c_d_.txt:fd23c1d99f1eb967"]),
        (
            "가" * 60 + " [1].hwp",
            "부서: ",
            [f"부서: {'가' * 60} [1].hwp", f"부서: {'가' * 60} _1_.hwp:2a52e2aff4e9699c"],
        ),
    ],
)
def test_the_id_that_0_1_gave_is_known(tmp_path, path, prefix, ids):
    write(tmp_path, path)
    (source,) = find([tmp_path], include=[], exclude=[], prefix=prefix)
    assert list(source.ids) == ids
    assert present([tmp_path], prefix=prefix) == set(ids)


def test_folders_are_found_whole_without_what_is_hidden(tmp_path):
    write(tmp_path, "b.txt", "하나/둘.txt", "하나/셋/넷.md", ".git/config", ".env", "~$b.docx", "x/Thumbs.db")
    assert ids([tmp_path]) == ["b.txt", "하나/둘.txt", "하나/셋/넷.md"]
    assert {source.folder for source in find([tmp_path], include=[], exclude=[])} == {tmp_path.name}
    assert present([tmp_path]) >= {".git/config", ".env"}


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.md"], [], ["a.md", "drafts/old/c.md", "초안/b.md"]),
        (["*.md", "*.txt"], ["drafts"], ["a.md", "x.txt", "초안/b.md"]),
        ([], ["drafts/*", "초안/"], ["a.md", "x.txt"]),
        (["drafts/*"], [], ["drafts/d.txt", "drafts/old/c.md"]),
        (["**/d.txt"], [], ["drafts/d.txt"]),
        ([], ["**/*.md", "./x.txt"], ["drafts/d.txt"]),
        (["*.md"], [unicodedata.normalize("NFD", "초안")], ["a.md", "drafts/old/c.md"]),
    ],
)
def test_patterns(tmp_path, include, exclude, expected):
    write(tmp_path, "a.md", "x.txt", "drafts/d.txt", "drafts/old/c.md", "초안/b.md")
    assert ids([tmp_path], include=include, exclude=exclude) == expected
    assert len(present([tmp_path])) == 5


def test_a_file_is_one_of_its_folder(tmp_path):
    write(tmp_path, "shelf/a.txt", "shelf/.hidden")
    assert find([tmp_path / "shelf" / "a.txt"], include=[], exclude=[]) == find(
        [tmp_path / "shelf"], include=[], exclude=[]
    )
    assert ids([tmp_path / "shelf" / ".hidden"]) == [".hidden"]
    assert ids([tmp_path / "shelf", tmp_path / "shelf" / "a.txt"]) == ["a.txt"]


def test_prefix_and_label(tmp_path):
    write(tmp_path, "a.txt")
    (source,) = find([tmp_path], include=[], exclude=[], prefix="2026/", label="연보")
    assert source == Source(tmp_path / "a.txt", "2026/a.txt", "연보")
    (source,) = find([tmp_path], include=[], exclude=[], prefix="(1) ")
    assert source.id == "(1) a.txt"
    for prefix in ("\n", "doc_", "x" * 101):
        with pytest.raises(KyujangError, match="prefix"):
            ids([tmp_path], prefix=prefix)
    for label in ("", " ", "x" * 201, "\udcff"):
        with pytest.raises(KyujangError, match="--label"):
            ids([tmp_path], label=label)


def test_the_folder_here_is_called_by_its_name(tmp_path, monkeypatch):
    write(tmp_path, "a.txt")
    monkeypatch.chdir(tmp_path)
    assert find([Path(".")], include=[], exclude=[]) == [Source(Path("a.txt"), "a.txt", tmp_path.name)]


def test_links_to_folders_are_not_followed_and_links_to_files_are_read(tmp_path):
    write(tmp_path, "in/a.txt", "out/secret.txt")
    (tmp_path / "in" / "round").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "away").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "b.txt").symlink_to(tmp_path / "in" / "a.txt")
    (tmp_path / "in" / "nowhere.txt").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "in" / "pipe")
    assert ids([tmp_path / "in"]) == ["a.txt", "b.txt"]
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert ids([tmp_path / "link"]) == ["secret.txt"]


def test_names_that_differ_in_their_form_only_are_two_documents(tmp_path):
    nfc, nfd = (unicodedata.normalize(form, "책.txt") for form in ("NFC", "NFD"))
    write(tmp_path, nfd)
    assert ids([tmp_path]) == ["책.txt"]
    write(tmp_path, nfc)
    found = find([tmp_path], include=[], exclude=[])
    assert {source.id: source.path.name for source in found}["책.txt"] == nfc
    assert len(found) == 2


@pytest.mark.parametrize("paths", [["a", "b"], ["b", "a"]])
def test_two_folders_with_one_path_need_prefixes(tmp_path, paths):
    write(tmp_path, "a/x.txt", "b/x.txt")
    with pytest.raises(KyujangError, match="--prefix"):
        ids([tmp_path / path for path in paths])


def test_what_is_missing_or_empty_is_said(tmp_path):
    write(tmp_path, "a/x.txt")
    (tmp_path / "empty").mkdir()
    for path in ("empty", "missing"):
        with pytest.raises(KyujangError, match=path):
            ids([tmp_path / "a", tmp_path / path])
    with pytest.raises(KyujangError, match="no file"):
        ids([tmp_path / "a"], include=["*.pdf"])


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path, monkeypatch):
    """As another account sees it: root reads everything."""
    write(tmp_path, "a.txt", "closed/b.txt")
    scan = os.scandir

    def scandir(path):
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for read in (ids, present):
        with pytest.raises(KyujangError, match=r"closed.*--exclude"):
            read([tmp_path])
    assert ids([tmp_path], exclude=["closed"]) == ["a.txt"]
