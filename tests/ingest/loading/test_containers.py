"""What archives, mailboxes and Outlook's messages hold, and what is left out of it, in bounds."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from dataclasses import replace

import pytest

from app.errors import DocumentError
from ingest.loading import members_child
from ingest.loading.formats import EML, MBOX, MSG, PLAIN, TAR, ZIP, Text, detect
from ingest.loading.members_child import Room
from ingest.loading.parsed import Options
from ingest.loading.parsers import MEMBERS, parse
from ingest.loading.parsers.rtf.compression import decompressed
from tests.ingest.made import ENGLISH, KOREAN, MAKERS
from tests.ingest.made.content import zipped
from tests.ingest.made.hancom import compound
from tests.ingest.made.office import docx, xlsx

LEFT_OUT = ("b.bin", "empty.txt", "large.txt", "link", "broken.txt")
CODES = {"corrupt", "unsupported_type", "empty", "encrypted", "too_large"}
ROOM = Room(members=100, total=1 << 20, each=1 << 18, most_members=100, most_mb=1)


@pytest.fixture
def taken(tmp_path):
    """The files that are handed on, and the notices of the others."""

    def take(content: bytes, kind: str, room: Room = ROOM):
        path = tmp_path / "a"
        path.write_bytes(content)
        assert detect(path, path.name, "") == kind
        skipped = []
        held = [(member.path, sent) for member, sent in members_child._readable(path, kind, room, skipped)]
        return dict(held), [(notice.part, notice.code) for notice in skipped]

    return take


@pytest.fixture
def text(tmp_path):
    def read(content: bytes) -> str:
        path = tmp_path / "a"
        path.write_bytes(content)
        return parse(path, detect(path, path.name, ""), Options()).text

    return read


def test_an_archive_lists_and_hands_on_what_it_holds(taken, text):
    files = {"a/notes.txt": b"Notes.", "계획.md": "# 계획".encode(), "__MACOSX/._a": b"x", "a/.DS_Store": b"x"}
    archive = zipped(files)
    assert text(archive) == "a/notes.txt\n계획.md"
    assert taken(archive, ZIP) == ({"a/notes.txt": b"Notes.", "계획.md": "# 계획".encode()}, [])


def test_paths_in_an_archive_lead_nowhere(taken):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("../../etc/passwd", "/root/x.txt", "C:\\y.txt", "a/../b.txt", "b.txt", "..", "z\u202e.txt"):
            archive.writestr(zipfile.ZipInfo(name), b"Text.")
    assert list(taken(buffer.getvalue(), ZIP)[0]) == [
        "etc/passwd", "root/x.txt", "y.txt", "a/b.txt", "b.txt", "unnamed", "z_.txt",
    ]  # fmt: skip


def test_names_in_a_korean_charset_are_read(taken):
    # Python would mark the name as UTF-8.
    archive = zipped({"ABCDEFGH.txt": "우물".encode()}).replace(b"ABCDEFGH", "우물청소".encode("cp949"))
    assert list(taken(archive, ZIP)[0]) == ["우물청소.txt"]


def test_what_is_not_read_is_told_by_name(taken):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", b"Text.")
        archive.writestr("b.bin", bytes(range(256)) * 9)
        archive.writestr("empty.txt", b"")
        archive.writestr("large.txt", b"x" * (ROOM.each + 1))
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("broken.txt", b"The body that is damaged below.")
        archive.writestr("c.docx", docx(KOREAN))
    damaged = buffer.getvalue().replace(b"damaged below", b"changed below")
    held, skipped = taken(damaged, ZIP)
    assert list(held) == ["a.txt", "c.docx"]
    assert skipped == [(name, "attachment_skipped") for name in LEFT_OUT]


@pytest.mark.parametrize(
    ("files", "room", "named"),
    [
        ({f"{n}.txt": b"x" for n in range(3000)}, ROOM, "KYUJANG_MAX_MEMBERS"),
        ({f"{n}.txt": b"x" * (1 << 18) for n in range(5)}, ROOM, "KYUJANG_MAX_UNPACKED_MB"),
        ({"a.txt": b"x"}, replace(ROOM, members=0), "KYUJANG_MAX_MEMBERS"),
    ],
    ids=["many", "large", "no room left"],
)
def test_what_unpacks_to_too_much_is_refused(taken, files, room, named):
    with pytest.raises(DocumentError) as caught:
        taken(zipped(files), ZIP, room)
    assert caught.value.document_code == "too_large"
    assert named in caught.value.detail


def test_a_member_gives_no_more_than_it_declares(taken):
    archive = zipped({"a.txt": b"x" * 200_000})
    lying = archive.replace(struct.pack("<I", 200_000), struct.pack("<I", 1000))
    assert taken(lying, ZIP) == ({}, [("a.txt", "attachment_skipped")])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (zipped({"a/": b""}), "empty"),
        (zipped({"[Content_Types].xml": b"<x/>", "x.xml": b"<x/>"}), "unsupported_type"),
        (zipped({"a.txt": b"x" * 90})[:80], "corrupt"),
    ],
    ids=["folders alone", "another package", "cut off"],
)
def test_what_is_no_archive_of_files_is_refused(text, content, code):
    with pytest.raises(DocumentError) as caught:
        text(content)
    assert caught.value.document_code == code


def test_a_locked_archive_is_refused(tmp_path, text):
    buffer = bytearray(zipped({"a.txt": b"x"}))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        buffer[buffer.index(mark) + place] |= 1
    with pytest.raises(DocumentError) as caught:
        text(bytes(buffer))
    assert caught.value.document_code == "encrypted"


def mailbox(*messages: str) -> bytes:
    return "".join(f"From kim@example.org Fri Jun  7 10:00:00 2031\n{each}\n\n" for each in messages).encode()


LETTER = "From: kim@example.org\nSubject: Tea\nMessage-ID: <1@x>\n\nTea at six.\n\n>From the mill it is an hour."
KOREAN_LETTER = (
    "From: lee@example.org\nSubject: =?utf-8?B?7Jqw66y8?=\n\n우물은 토요일에 친다.\n\nFrom here on it is text."
)


def test_each_message_of_a_mailbox_is_a_document(taken, text):
    box = mailbox(LETTER, KOREAN_LETTER, LETTER)
    assert text(box).splitlines()[:2] == ["Tea · kim@example.org", "우물 · lee@example.org"]
    held, skipped = taken(box, MBOX)
    names = list(held)
    assert (names[0], names[2], skipped) == ("1@x.eml", "1@x (2).eml", [])
    assert b"\nFrom the mill it is an hour." in held["1@x.eml"]
    assert held[names[1]].decode().endswith("From here on it is text.")
    assert list(taken(mailbox(KOREAN_LETTER), MBOX)[0]) == [names[1]]


def tarred(files: dict[str, bytes], mode: str, **options: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


TARRED = {"a/notes.txt": b"Notes.", "../계획.md": "# 계획".encode(), "__MACOSX/x": b"x"}


@pytest.mark.parametrize(("mode", "options"), [("w", {}), ("w:gz", {}), ("w:gz", {"format": tarfile.GNU_FORMAT})])
def test_members_of_a_tar_archive_are_taken_out(taken, mode, options):
    held, skipped = taken(tarred(TARRED, mode, **options), TAR)
    assert held == {"a/notes.txt": b"Notes.", "계획.md": "# 계획".encode()}
    assert skipped == [("link.txt", "attachment_skipped")]


def test_names_of_a_tar_archive_in_another_charset_are_read(taken):
    content = tarred({"우물청소.txt": b"x"}, "w:gz", encoding="cp949", format=tarfile.GNU_FORMAT)
    assert list(taken(content, TAR)[0]) == ["우물청소.txt"]


def test_what_is_packed_and_no_tar_archive_is_refused(text):
    with pytest.raises(DocumentError) as caught:
        text(gzip.compress(b"notes " * 99))
    assert caught.value.document_code == "unsupported_type"


def test_a_tar_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(taken):
    room = Room(members=9, total=1 << 20, each=1 << 30, most_members=9, most_mb=1)
    with pytest.raises(DocumentError) as caught:
        taken(tarred({"zeros.txt": bytes(2 << 20)}, "w:gz"), TAR, room)
    assert caught.value.document_code == "too_large"


def test_a_letter_that_begins_with_from_is_no_mailbox(tmp_path):
    (tmp_path / "a.txt").write_text("From Kim at 10:00 on 7 June 2031\nhe wrote: tea.\n")
    found = detect(tmp_path / "a.txt", "a.txt", "")
    assert isinstance(found, Text)
    assert found.media_type == PLAIN


def fixed(head: int, **numbers: int) -> bytes:
    entries = b"".join(struct.pack("<HHIq", 3, int(name[1:], 16), 6, value) for name, value in numbers.items())
    return bytes(head) + entries


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


# Long enough for sectors of its own.
PLAN = b"The plan.\n" * 500


def outlook(inside: dict[str, bytes] | None = None) -> bytes:
    attached, forwarded = "__attach_version1.0_#00000000", "__attach_version1.0_#00000001"
    message = f"{forwarded}/__substg1.0_3701000D"
    streams = {
        "__properties_version1.0": fixed(32, _0039=135_000_000_000_000_000),
        "__substg1.0_0037001F": wide(KOREAN.title),
        "__substg1.0_0C1A001F": wide("김규장"),
        "__substg1.0_5D01001F": wide("kim@example.org"),
        "__substg1.0_1000001F": wide(KOREAN.sentence),
        f"{attached}/__properties_version1.0": fixed(8, _3705=1),
        f"{attached}/__substg1.0_3707001F": wide("계획.txt"),
        f"{attached}/__substg1.0_37010102": PLAN,
        f"{forwarded}/__properties_version1.0": fixed(8, _3705=5),
        f"{message}/__properties_version1.0": fixed(24, _3FFD=949),
        f"{message}/__substg1.0_0037001E": "안의 것".encode("cp949"),
        f"{message}/__substg1.0_10130102": f"<p>{ENGLISH.sentence}</p>".encode(),
    }
    return compound(streams | (inside or {}))


def test_an_outlook_message_is_read_with_what_it_forwards(taken, text):
    read = text(outlook())
    assert read.startswith("From: 김규장 <kim@example.org>\nDate: 2028-10-19 ")
    assert f"Subject: {KOREAN.title}\n\n{KOREAN.sentence}" in read
    assert f"Subject: 안의 것\n\n{ENGLISH.sentence}" in read
    held, skipped = taken(outlook(), MSG)
    assert (list(held), skipped) == (["계획.txt"], [])
    assert held["계획.txt"] == PLAN


def test_a_meeting_of_outlook_says_when_it_is(text):
    times = fixed(32, _0060=135_000_000_000_000_000, _0061=135_000_036_000_000_000)
    meeting = {"__properties_version1.0": times, "__substg1.0_001A001F": wide("IPM.Schedule.Meeting.Request")}
    assert "\nStart: 2028-10-19 00:00 UTC\nEnd: 2028-10-19 01:00 UTC\n\n" in text(outlook(meeting))


def packed(rtf: bytes) -> bytes:
    """Pack it as Outlook does, with a copy of nothing but the end."""
    groups = b"".join(b"\0" + rtf[at : at + 8] for at in range(0, len(rtf) // 8 * 8, 8))
    rest = rtf[len(rtf) // 8 * 8 :]
    # The text before has 207 bytes.
    end = (207 + len(rtf)) % 4096 << 4
    content = groups + bytes([1 << len(rest)]) + rest + end.to_bytes(2, "big")
    return struct.pack("<IIII", len(content) + 12, len(rtf), 0x75465A4C, 0) + content


@pytest.mark.parametrize("content", [KOREAN, ENGLISH])
def test_a_body_of_rtf_alone_is_read(text, content):
    letters = "".join(f"\\u{ord(letter)}?" if ord(letter) > 127 else letter for letter in content.sentence)
    rtf = rf"{{\rtf1\ansi\pard {letters}\par}}".encode()
    read = text(outlook({"__substg1.0_1000001F": b"", "__substg1.0_10090102": packed(rtf)}))
    assert f"Subject: {KOREAN.title}\n\n{content.sentence}\n\n" in read


def test_packed_rtf_is_unpacked():
    """The examples of [MS-OXRTFCP], and what is cut off or damaged."""
    copies = "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    crossing = "1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0"
    plain = struct.pack("<IIII", 20, 8, 0x414C454D, 0) + rb"{\rtf1 }junk"
    assert decompressed(bytes.fromhex(copies)) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert decompressed(bytes.fromhex(crossing)) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert decompressed(plain) == rb"{\rtf1 }"
    assert decompressed(bytes.fromhex(copies)[:30]).startswith(rb"{\rtf1\ansi")
    # A copy of what nobody has written.
    assert decompressed(struct.pack("<IIII", 0, 0, 0x75465A4C, 0) + b"\1\xf0\x00") == b""
    for damaged in (b"", bytes(20)):
        with pytest.raises(ValueError, match=r"cut off|0"):
            decompressed(damaged)


def test_a_damaged_body_of_rtf_is_told(tmp_path):
    (tmp_path / "a.msg").write_bytes(outlook({"__substg1.0_1000001F": b"", "__substg1.0_10090102": bytes(20)}))
    warnings = parse(tmp_path / "a.msg", MSG, Options()).warnings
    assert [(each.code, each.part) for each in warnings] == [("attachment_skipped", "text")]


def test_a_sealed_outlook_message_is_refused(text):
    with pytest.raises(DocumentError) as caught:
        text(outlook({"__substg1.0_001A001F": wide("IPM.Note.SMIME")}))
    assert caught.value.document_code == "encrypted"


TAKEN_APART = [
    outlook(),
    mailbox(LETTER, KOREAN_LETTER),
    zipped({"a.txt": b"x", "b": b"y"}),
    tarred(TARRED, "w"),
    tarred(TARRED, "w:gz"),
]


@pytest.mark.parametrize("whole", TAKEN_APART)
def test_what_is_damaged_is_read_or_refused(tmp_path, whole):
    path, refused = tmp_path / "a", set()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = detect(path, "a", "")
            parse(path, found, Options())
            if found in MEMBERS:
                list(members_child._readable(path, str(found), ROOM, []))
        except DocumentError as error:
            refused.add(error.document_code)
    assert refused <= CODES


def test_office_documents_are_no_archives(tmp_path):
    for name, content in {"a": xlsx(KOREAN), "b": MAKERS["epub"](KOREAN), "c": MAKERS["hwpx"](KOREAN)}.items():
        (tmp_path / name).write_bytes(content)
        assert detect(tmp_path / name, name, "") not in (ZIP, EML)
