"""The recorded versions: a loader or splitter that gives something else has another one, or stored documents stay."""

from __future__ import annotations

import hashlib
import json

import pytest

from app.settings import Settings
from app.storage.processing import LOADERS, SPLITTERS, chunk_size, processing
from ingest import langchain_split
from ingest.loading.formats import Text, detect
from ingest.loading.load import Loaded
from ingest.loading.parsed import Options, Page
from ingest.loading.parsers import READERS, TEXTS, parse
from ingest.split import split_text
from tests.conftest import EXAMPLES
from tests.ingest.made import ENGLISH, KOREAN, MAKERS

# Of each format and splitter its version, and the hash of what it gives. Another hash takes another version, too.
LOADED = {
    "txt": (1, "762f527e0810"),
    "md": (1, "36b479b7e5a2"),
    "html": (2, "5d52db7ff87f"),
    "csv": (2, "49e2efdee51b"),
    "json": (1, "83cb60859dd5"),
    "jsonl": (1, "db78b67bcb6a"),
    "pdf": (2, "cdb098f7053e"),
    "docx": (2, "5d52db7ff87f"),
    "pptx": (2, "1b2c3ee4277e"),
    "xlsx": (2, "4d6fa16b1dbd"),
    "epub": (2, "078a04cd31ce"),
    "eml": (2, "7b29cdaa06a0"),
    "hwp": (2, "64f9177a14c8"),
    "hwpx": (2, "a99f94667df7"),
    "hml": (1, "a99f94667df7"),
    "rtf": (1, "5d52db7ff87f"),
    "odt": (1, "5d52db7ff87f"),
    "ods": (1, "4d6fa16b1dbd"),
    "odp": (1, "9a371f383356"),
}
CUT = {"sentences": (2, "76c995884b62"), "langchain": (2, "e2ee51a8c128")}


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


def words(texts) -> list[int]:
    return [len(text.split()) + 2 for text in texts]


@pytest.mark.parametrize("kind", MAKERS)
def test_another_text_has_another_version(tmp_path, kind):
    read = []
    for content in (ENGLISH, KOREAN):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(MAKERS[kind](content))
        found = detect(path, path.name, "")
        media_type = found.media_type if isinstance(found, Text) else found
        parsed = parse(path, found, Options())
        read.append((parsed.title, [(page.number, page.text) for page in parsed.pages]))
    assert (LOADERS[media_type], digest(read)) == LOADED[kind]


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_other_chunks_have_another_version(splitter):
    spans = []
    for name in ("king-sejong-annals.txt", "returns-policy.md", "king-sejong-annals.ko.md"):
        loaded = Loaded("text/plain", None, [Page(None, (EXAMPLES / name).read_text())])
        if splitter == "langchain":
            chunks = langchain_split.split_text(loaded, count_tokens=words, max_tokens=40)
        else:
            chunks = split_text(loaded, count_tokens=words, max_tokens=40, overlap_tokens=6)
        spans.append([(chunk.start, chunk.stop, chunk.header, chunk.headings) for chunk in chunks])
    assert (SPLITTERS[splitter], digest(spans)) == CUT[splitter]


def test_every_format_has_a_version():
    assert set(LOADERS) == {*READERS, *TEXTS}


@pytest.mark.parametrize(
    ("chosen", "max_tokens", "made_by"),
    [
        ({}, 512, "sentences 2, 400/60"),
        ({}, 256, "sentences 2, 220/33"),
        ({"chunk_tokens": 100}, 512, "sentences 2, 100/15"),
        ({"chunk_tokens": 100, "chunk_overlap": 0}, 512, "sentences 2, 100/0"),
        ({"chunk_tokens": 1000}, 512, "sentences 2, 512/76"),
        ({"hidden_parts": "mark"}, 512, "sentences 2, 400/60, hidden parts marked"),
        ({"splitter": "langchain", "chunk_overlap": 9}, 512, "langchain 2, 400"),
    ],
)
def test_the_splitter_is_recorded_with_what_changes_its_chunks(chosen, max_tokens, made_by):
    settings = Settings(**chosen)
    assert processing(settings, max_tokens).splitter == made_by
    assert chunk_size(settings, max_tokens)[0] <= max_tokens
