"""What mail says, however it was put together."""

from __future__ import annotations

import base64
import time

import pytest

from app.errors import DocumentError
from ingest.loading.charset import decoded_text
from ingest.loading.formats import EML, detect
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from ingest.loading.parsers.mail import members
from ingest.loading.parsers.mail_texts import better, calendar
from ingest.loading.parsers.member_paths import Paths

PNG = "iVBORw0KGgo="


def part(kind: str, content: str, *headers: str) -> str:
    return "\r\n".join([f"Content-Type: {kind}", *headers, "", content])


def parts(kind: str, *inner: str, boundary: str = "B") -> str:
    lines = "".join(f"\r\n--{boundary}\r\n{each}" for each in inner)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n{lines}\r\n--{boundary}--\r\n'


def mail(body: str | bytes, subject: str | bytes = "Letter") -> bytes:
    encoded = [each if isinstance(each, bytes) else each.encode() for each in (subject, body)]
    return b"From: a@example.org\r\nSubject: " + encoded[0] + b"\r\nMIME-Version: 1.0\r\n" + encoded[1]


@pytest.fixture
def reading(tmp_path):
    def read(content: bytes) -> Parsed:
        path = tmp_path / "a.eml"
        path.write_bytes(content)
        assert detect(path, path.name, "") == EML
        return parse(path, EML, Options())

    return read


@pytest.fixture
def attached(tmp_path, reading):
    def read(content: bytes) -> list[tuple[str, bytes, str | None]]:
        assert reading(content).has_members
        return [(each.path, each.read(), each.media_type) for each in members(tmp_path / "a.eml", Options())]

    return read


PLAIN, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("plain", "marked_up", "kept", "lost"),
    [
        ("Your program shows no HTML. Open it in a browser.", "<p>Tea at six.</p>", "Tea at six.", "browser"),
        ("이 메일은 HTML을 지원하는 프로그램에서 보십시오.", "<p>회의는 두 시다.</p>", "회의는 두 시다.", "HTML"),
        (" \r\n ", "<p>Tea at six.</p>", "Tea at six.", "\r"),
        ("회의는 두 시다.", "<p> </p>", "회의는 두 시다.", "<p>"),
        ("Tea at six [1].", "<p>Tea at <b>six</b>.</p>", "Tea at six [1].", "**"),
        ("Tea.", "<p>Tea.</p><p>And the mill opens at nine on every Monday.</p>", "opens at nine", "nothing"),
    ],
)
def test_of_two_versions_the_one_that_says_more_is_read(reading, plain, marked_up, kept, lost):
    for inner in ([part(PLAIN, plain), part(HTML, marked_up)], [part(HTML, marked_up), part(PLAIN, plain)]):
        text = reading(mail(parts("alternative", *inner))).text
        assert kept in text
        assert lost not in text


def test_two_versions_that_say_different_things_are_both_read(reading):
    long = "The barn is let from May, and the key hangs at the door of the mill. " * 10
    text = reading(mail(parts("alternative", part(PLAIN, long), part(HTML, "<p>The choir sings at five.</p>")))).text
    assert text.index("The barn is let") < text.index("The choir sings at five.")


def test_a_table_is_read_from_the_html_that_has_one():
    assert better("Room Price\nA 10\nB 20", "| Room | Price |\n| --- | --- |\n| A | 10 |\n| B | 20 |").startswith("|")


def test_plain_text_that_lacks_the_end_gives_way_to_the_html():
    whole = "The barn is let from May, and the key hangs at the door of the mill. " * 2
    assert better(f"{whole}More…", f"{whole}More is told by Oh Haneul.").endswith("Haneul.")
    assert better(f"{whole}By [1].", f"{whole}By Oh.").endswith("[1].")


def test_two_versions_declared_as_two_texts_are_read_once(reading):
    text = reading(
        mail(parts("mixed", part(PLAIN, "우물은 토요일에 친다."), part(HTML, "<p>우물은 토요일에 친다.</p>")))
    )
    assert text.text.count("우물은 토요일에 친다.") == 1


def test_every_text_is_read_in_its_order(reading):
    image = part("image/png; name=i.png", PNG, "Content-Transfer-Encoding: base64", "Content-ID: <1>")
    related = parts("related", part(HTML, "<p>셋째</p>"), image, boundary="R")
    inner = [part(HTML, "<p>First</p>"), image, part(PLAIN, "second"), related, part(PLAIN, "fourth")]
    parsed = reading(mail(parts("mixed", *inner)))
    places = [parsed.text.index(word) for word in ("First", "second", "셋째", "fourth")]
    assert places == sorted(places)
    assert [notice.code for notice in parsed.warnings] == ["picture_without_text"]


@pytest.mark.parametrize("kind", ["mixed; x=y", "alternative; boundary=", "related"])
def test_a_part_that_only_claims_to_be_divided_is_read_as_text(reading, kind):
    assert "Tea at six." in reading(mail(f"Content-Type: multipart/{kind}\r\n\r\nTea at six.")).text


@pytest.mark.parametrize("kind", ["text/markdown", "text/x-unknown"])
def test_a_mail_of_another_kind_of_text_is_read_as_it_is(reading, attached, kind):
    assert "# Tea at *six*." in reading(mail(part(kind, "# Tea at *six*."))).text
    inner = parts("mixed", part("text/plain", "Tea."), part(kind, "# six", "Content-Disposition: attachment"))
    assert [content for _, content, _ in attached(mail(inner))] == [b"# six"]


@pytest.mark.parametrize(
    ("subject", "title"),
    [
        ("우물 청소 안내".encode("cp949"), "우물 청소 안내"),
        ("우물 청소 안내".encode(), "우물 청소 안내"),
        ("뷁꿹 안내문을 보냅니다".encode("cp949"), "뷁꿹 안내문을 보냅니다"),
        (b"=?euc-kr?B?" + base64.b64encode("뷁 안내".encode("cp949")) + b"?=", "뷁 안내"),
        (b"=?ks_c_5601-1987?Q?=BF=EC=B9=B0?= =?KS_C_5601-1987?B?" + base64.b64encode("청소".encode("cp949")) + b"?=",
         "우물청소"),
        (b"=?utf-8?B?" + base64.b64encode("우물".encode()[:4]) + b"?=\r\n =?utf-8?B?"
         + base64.b64encode("우물".encode()[4:]) + b"?=", "우물"),
        (b"=?iso-2022-kr?B?" + base64.b64encode("우물".encode("iso2022_kr")) + b"?=", "우물"),
        (b"=?unknown-8bit?Q?=BF=EC=B9=B0_=C3=BB=BC=D2?= today", "우물 청소 today"),
        ("Grüße aus Köln".encode("latin-1"), "Grüße aus Köln"),
        (b"=?utf-8?q?Tea_at_six?= for two", "Tea at six for two"),
        (b"price =? question ?= 3", "price =? question ?= 3"),
    ],
)  # fmt: skip
def test_headers_are_read_raw_and_encoded(reading, subject, title):
    parsed = reading(mail(part("text/plain; charset=euc-kr", "x"), subject))
    assert parsed.title == title
    assert f"Subject: {title}" in parsed.text


@pytest.mark.parametrize("declared", ["", "; charset=us-ascii", "; charset=euc-kr", "; charset=nonsense"])
def test_a_body_is_decoded_whatever_is_declared(reading, declared):
    body = f"Content-Type: text/plain{declared}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode()
    assert "뷁은 토요일에 우물을 친다." in reading(mail(body + "뷁은 토요일에 우물을 친다.".encode("cp949"))).text


def test_flowed_lines_are_joined(reading):
    body = "A long \r\nline.\r\n\r\n>> It was \r\n>> said.\r\n> Then.\r\n-- \r\nKim"
    text = reading(mail(part("text/plain; format=flowed", body))).text
    assert "A long line.\n\n>> It was said.\n> Then.\n-- \nKim" in text
    text = reading(mail(part("text/plain; charset=utf-8; format=flowed; delsp=yes", "긴 문장 \r\n이다."))).text
    assert "긴 문장이다." in text


CALENDAR = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:지붕 회의\\, 넷째 헛간\r\nDTSTART;TZID=Asia/Seoul:20310304T100000\r\n"
    "DTEND:20310304T020000Z\r\nORGANIZER;CN=Kim:mailto:kim@example.org\r\nDESCRIPTION:Bring the\r\n  long ladder.\\n"
    "And tea.\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_an_invitation_is_read_once_with_its_times(reading):
    kind = "text/calendar; charset=utf-8; method=REQUEST"
    file = part("application/ics; name=invite.ics", CALENDAR, "Content-Disposition: attachment; filename=invite.ics")
    both = parts("alternative", part(PLAIN, "You are invited."), part(kind, CALENDAR), boundary="A")
    text = reading(mail(parts("mixed", both, file))).text
    assert "You are invited." in text
    assert (
        text.count("Summary: 지붕 회의, 넷째 헛간\nStart: 2031-03-04 10:00 (Asia/Seoul)\nEnd: 2031-03-04 02:00 UTC")
        == 1
    )
    assert "Organizer: Kim <kim@example.org>\nDescription: Bring the long ladder.\nAnd tea." in text


def test_of_a_calendar_its_events_are_read_and_no_alarms_and_time_zones():
    zone = "BEGIN:VTIMEZONE\nTZID:Seoul\nBEGIN:STANDARD\nDTSTART:16010101T000000\nEND:STANDARD\nEND:VTIMEZONE\n"
    alarm = "BEGIN:VALARM\nDESCRIPTION:REMINDER\nEND:VALARM\n"
    start, person = 'DTSTART;TZID="(UTC+09:00) Seoul":20310304T100000', 'ATTENDEE;CN="Oh: Haneul":mailto:o@example.org'
    event = f"BEGIN:VEVENT\nSUMMARY:지붕 회의\n{start}\n{person}\n{alarm}LOCATION:헛간\nEND:VEVENT\n"
    assert calendar(f"BEGIN:VCALENDAR\n{zone}{event}END:VCALENDAR") == (
        "Summary: 지붕 회의\nStart: 2031-03-04 10:00 ((UTC+09:00) Seoul)\nAttendee: Oh: Haneul <o@example.org>\n"
        "Location: 헛간"
    )


def forwarded(inner: bytes, *headers: str) -> str:
    return part("message/rfc822", inner.decode(), *headers)


def test_forwarded_mail_is_read_with_its_headers_and_attachments(attached, reading):
    file = part(
        "application/pdf",
        "AA==",
        "Content-Transfer-Encoding: base64",
        'Content-Disposition: attachment; filename="계획.pdf"',
    )
    inner = mail(parts("mixed", part(PLAIN, "Inside."), file, boundary="I"), "안의 것")
    outer = mail(parts("mixed", part(PLAIN, "밖."), forwarded(inner), file, boundary="O"))
    text = reading(outer).text
    assert text.index("밖.") < text.index("Subject: 안의 것") < text.index("Inside.")
    assert [path for path, *_ in attached(outer)] == ["계획.pdf", "계획 (2).pdf"]
    encoded = base64.encodebytes(inner).decode()
    again = mail(parts("mixed", part("message/rfc822", encoded, "Content-Transfer-Encoding: base64"), boundary="O"))
    assert "Inside." in reading(again).text


def test_attachments_are_named_and_handed_on(attached):
    named = (
        'Content-Disposition: attachment; filename="=?euc-kr?B?' + base64.b64encode("뷁.txt".encode("cp949")).decode()
    )
    inner = [
        part(PLAIN, "See the papers. 붙임을 보라."),
        part("text/plain", "Y29kZXM=", "Content-Transfer-Encoding: base64", named + '?="'),
        part("text/html", "<p>Page</p>", "Content-Disposition: attachment; filename*=utf-8''%EA%B3%84%ED%9A%8D.html"),
        part("application/pdf", "JVBERg==", "Content-Transfer-Encoding: base64"),
        part("text/plain; name=../../etc/passwd", "notes"),
    ]
    assert attached(mail(parts("mixed", *inner))) == [
        ("뷁.txt", b"codes", "text/plain"),
        ("계획.html", b"<p>Page</p>", "text/html"),
        ("part-3.pdf", b"%PDF", "application/pdf"),
        ("etc/passwd", b"notes", "text/plain"),
    ]


def test_raw_file_names_are_read(attached):
    file = part("application/pdf", "x", "Content-Disposition: attachment; filename=@").encode()
    body = (
        parts("mixed", part(PLAIN, "a"), "@")
        .encode()
        .replace(b"@", file.replace(b"@", "우물 청소.pdf".encode("cp949")))
    )
    assert [path for path, *_ in attached(mail(body))] == ["우물 청소.pdf"]


@pytest.mark.parametrize(
    "body",
    [
        parts("encrypted; protocol=x", part("application/pgp-encrypted", "Version: 1"), part("application/x", "x")),
        part("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "AAAA"),
        part(PLAIN, "-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----"),
    ],
)  # fmt: skip
def test_encrypted_mail_is_refused_as_such(reading, body):
    with pytest.raises(DocumentError) as caught:
        reading(mail(body))
    assert caught.value.document_code == "encrypted"


def test_signed_mail_is_read_without_its_signature(reading):
    signature = part("application/pgp-signature; name=s.asc", "-----BEGIN PGP SIGNATURE-----")
    parsed = reading(mail(parts("signed", part(PLAIN, "서명한 글."), signature)))
    assert parsed.text.endswith("서명한 글.")
    assert (parsed.has_members, parsed.warnings) == (False, [])


def test_what_is_packed_or_encrypted_in_part_is_told(reading):
    packed = part("application/ms-tnef; name=winmail.dat", "eJ8=", "Content-Transfer-Encoding: base64")
    sealed = part("application/pkcs7-mime; name=smime.p7m", "AAAA")
    parsed = reading(mail(parts("mixed", part(PLAIN, "Readable."), packed, sealed)))
    assert "Readable." in parsed.text
    assert [(each.code, each.part) for each in parsed.warnings] == [
        ("attachment_skipped", "winmail.dat"),
        ("attachment_skipped", "smime.p7m"),
    ]


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("../../a/./b.txt", "a/b.txt"), ("C:\\x\\가.txt", "x/가.txt"), ("/etc/passwd", "etc/passwd"), ("..", "unnamed"),
        ("a\0b\u202e.txt", "a_b_.txt"), ("e\u0301.txt", "é.txt"),
    ],
)  # fmt: skip
def test_paths_lead_nowhere(path, safe):
    assert Paths().add(path) == safe


def test_paths_differ_and_are_short():
    paths = Paths()
    assert [paths.add(each) for each in ("a.txt", "a.txt", "a (2).txt", "a.txt", "x/b", "x/b")] == [
        "a.txt", "a (2).txt", "a (2) (2).txt", "a (3).txt", "x/b", "x/b (2)",
    ]  # fmt: skip
    long = [paths.add(f"{'가' * 400}{n}.pdf") for n in range(2)]
    assert len(set(long)) == 2
    assert all(len(each) <= 300 and each.endswith(".pdf") for each in long)


def flood(count: int) -> bytes:
    headers = "".join(f"X-{n}: {'=?a?b?' * 20}\r\n" for n in range(count))
    names = [part("text/plain", "x", "Content-Disposition: attachment; filename=a.txt") for _ in range(count)]
    return mail(headers + parts("mixed", part(PLAIN, "Text."), *names), b"=?a?b?" * count)


def test_the_cost_of_many_headers_and_parts_grows_with_them(reading):
    def cost(count: int) -> float:
        content, started = flood(count), time.thread_time()
        assert reading(content).text.count("Attachment:") == count
        return time.thread_time() - started

    cost(50)
    once, longer = (min(cost(count) for _ in range(3)) for count in (200, 800))
    assert longer < 10 * once + 0.005


def test_deep_nesting_is_damage(reading):
    inner = mail(part(PLAIN, "x"))
    for _ in range(2000):
        inner = mail(forwarded(inner))
    with pytest.raises(DocumentError) as caught:
        reading(inner)
    assert caught.value.document_code == "corrupt"


def test_korean_bytes_are_told_from_western_ones():
    assert decoded_text("우물 청소 안내".encode("cp949")) == "우물 청소 안내"
