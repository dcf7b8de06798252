"""Mail in the markup that was there before HTML, in that of a few programs, and in Base64 that is none."""

from __future__ import annotations

import base64

import pytest

from tests.ingest.loading.parsing import parsed

HEAD = "From: Kim <kim@example.org>\r\nSubject: Roof\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
ENCODED = base64.b64encode("지붕 회의\n".encode()).decode()


def body(folder, content_type: str, content: str | bytes, more: str = "") -> str:
    head = f"{HEAD}Content-Type: {content_type}\r\n{more}\r\n".encode()
    whole = head + (content if isinstance(content, bytes) else content.encode())
    return parsed(folder, whole, "a.eml").text.split("Subject: Roof", 1)[1].strip()


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        ("text/enriched; charset=utf-8", "<bold>지붕</bold>\nmeets<color><param>red</param> <<b></color>.\n\n\nTwo",
         "지붕 meets <b>.\n\nTwo"),
        ("text/richtext", "<bold>Roof</bold>\nmeets<nl>at<lt>four", "Roof meets\nat<four"),
        ("application/xhtml+xml", "<html><body><p>Roof &amp; barn</p></body></html>", "Roof & barn"),
    ],
)  # fmt: skip
def test_markup_of_mail_is_not_read_as_text(tmp_path, content_type, content, text):
    assert body(tmp_path, content_type, content) == text


@pytest.mark.parametrize("kind", ["text/enriched", "text/x-amp-html"])
def test_a_third_version_of_a_text_is_not_repeated(tmp_path, kind):
    parts = [
        ("text/plain", "Short version here."),
        (kind, "<p>Short version here.</p>"),
        ("text/html", "<b>Short version here.</b>"),
    ]
    content = "".join(f"--x\r\nContent-Type: {each}\r\n\r\n{text}\r\n" for each, text in parts)
    assert body(tmp_path, "multipart/alternative; boundary=x", f"{content}--x--").count("Short version") == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"{ENCODED}\n____\nlist 목록", "지붕 회의\n\n____\nlist 목록"),
        ("Not encoded: 지붕!", "Not encoded: 지붕!"),
        ("지붕은 넷이다.".encode("cp949"), "지붕은 넷이다."),
    ],
)
def test_what_is_not_base64_is_kept(tmp_path, content, text):
    encoding = "Content-Transfer-Encoding: base64\r\n"
    charset = "euc-kr" if isinstance(content, bytes) else "utf-8"
    assert body(tmp_path, f"text/plain; charset={charset}", content, encoding) == text
