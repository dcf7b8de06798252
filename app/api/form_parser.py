"""Read multipart/form-data to its end, with the file names that clients mean."""

from __future__ import annotations

import base64
import codecs
import quopri
import re
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

# A header of a part has at most some 4,000 characters.
PARAMETER = re.compile(rb';\s*([^\s;="]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
# The white space between two of them is none of the text.
ENCODED_WORD = re.compile(r"=\?([\w-]{1,40})(?:\*[\w-]{1,40})?\?([bBqQ])\?([^?\s]*)\?=(?:\s+(?==\?))?", re.ASCII)
# By Python's names. Python decodes by others too, some of which take far longer than their input is long.
CHARSETS = frozenset(
    (
        "utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "koi8-r", "cp1251", "euc_kr", "cp949", "johab",
        "iso2022_kr", "shift_jis", "cp932", "euc_jp", "iso2022_jp", "gb2312", "gbk", "gb18030", "big5",
    )
)  # fmt: skip


class FormParser(MultiPartParser):
    """Prefers `filename*` (RFC 8187) to `filename`, decodes encoded words (RFC 2047) there, and refuses a cut form."""

    _ended = False

    def on_headers_finished(self) -> None:
        header = self._current_part.content_disposition or b""
        extended = _extended_name(header)
        if extended is not None and b"filename" not in _parameters(header):
            # Without the plain parameter the part would be a field.
            self._current_part.content_disposition = header + b'; filename=""'
        super().on_headers_finished()
        file = self._current_part.file
        if file is not None:
            file.filename = extended or decoded_words(file.filename or "")

    def on_end(self) -> None:
        self._ended = True

    async def parse(self) -> FormData:
        """Raises MultiPartException for a form without its last boundary too: its last file would be cut or missing."""
        form = await super().parse()
        if not self._ended:
            await form.close()
            raise MultiPartException("The form ends before its last boundary.")
        return form


def decoded_words(name: str) -> str:
    """Return the name with the encoded words of e-mail's headers decoded; those that cannot be stay as they are."""
    return ENCODED_WORD.sub(_decoded_word, name)


def _decoded_word(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    try:
        if encoding in "bB":
            content = base64.b64decode(text, validate=True)
        else:
            content = quopri.decodestring(text.encode("ascii"), header=True)
    except ValueError:
        return match[0]
    decoded = _decoded(content, charset)
    return match[0] if decoded is None else decoded


def _parameters(header: bytes) -> dict[bytes, bytes]:
    return {match[1].lower(): match[2].strip().strip(b'"') for match in PARAMETER.finditer(header)}


def _extended_name(header: bytes) -> str | None:
    """Return what `filename*` says; an empty text if it cannot be read, None if it is not there."""
    value = _parameters(header).get(b"filename*")
    if value is None:
        return None
    charset, _, rest = value.partition(b"'")
    return _decoded(unquote_to_bytes(rest.partition(b"'")[2]), charset.decode("latin-1")) or ""


def _decoded(content: bytes, charset: str) -> str | None:
    try:
        return content.decode(charset) if codecs.lookup(charset).name in CHARSETS else None
    except (LookupError, ValueError):
        return None
