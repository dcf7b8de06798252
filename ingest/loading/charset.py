"""Decodes bytes to text: byte order mark, UTF-8, the declared charset, CP949, and last Windows-1252."""

from __future__ import annotations

import codecs
import re

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DECLARED = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,300}?(?:charset|encoding)\s*=\s*["']?\s*([a-z0-9_\-]{2,20})""", re.IGNORECASE
)
ESCAPE = b"\x1b"
# The web's euc-kr and ks_c_5601 mean Microsoft's larger set (WHATWG Encoding Standard).
ALIASES = {
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "iso-8859-1": "cp1252",
    "shift_jis": "cp932",
}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
JAPANESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff]{2,}")
MIN_IN_SCRIPT = {"cp949": 0.6, "cp932": 0.8}
MAX_CONTROLS = 0.03
MAX_BROKEN = 0.1


def decode(content: bytes, named: str | None = None) -> str | None:
    """Return the text, or None if this is not text. `named`: the charset given with it, if any."""
    for mark, charset in MARKS:
        if content.startswith(mark):
            return _try(content, charset)
    declared = (_canonical(named),) if named else _declared(content)
    # UTF-8 is not valid by accident and declarations are often wrong; but ISO-2022 passes for ASCII.
    first = declared if ESCAPE in content else ()
    for charset in (*_utf_16_without_mark(content), *first, "utf-8", *declared, "cp949"):
        if (text := _try(content, charset)) is not None and _reads_well(text, charset):
            return text
    for charset in ("utf-8", *declared, "cp949"):
        if (text := _nearly(content, charset)) is not None and _reads_well(text, charset):
            return text
    for charset in ("cp932", "cp1252"):
        if (text := _try(content, charset)) is not None and _reads_well(text, charset):
            return text
    return None


def _declared(content: bytes) -> tuple[str, ...]:
    found = DECLARED.search(content[:2048])
    if found is None:
        return ()
    return (_canonical(found.group(1).decode()),)


def _canonical(name: str) -> str:
    return ALIASES.get(name.lower(), name.lower())


def _try(content: bytes, charset: str, errors: str = "strict") -> str | None:
    try:
        return content.decode(charset, errors)
    except (UnicodeError, LookupError):
        return None


def _nearly(content: bytes, charset: str) -> str | None:
    """Replace a few broken bytes, as of a file that was cut off, by U+FFFD; return None if there are many."""
    text = _try(content, charset, "replace")
    if text is None:
        return None
    wide = len(text) - len(text.encode("ascii", "ignore"))
    return text if text.count("\ufffd") <= MAX_BROKEN * wide else None


def _utf_16_without_mark(content: bytes) -> tuple[str, ...]:
    """Recognise English in UTF-16 by a NUL in every other byte."""
    even, odd = content[:2000:2], content[1:2000:2]
    if odd.count(0) > 0.7 * len(odd) > 0:
        return ("utf-16-le",)
    if even.count(0) > 0.7 * len(even):
        return ("utf-16-be",)
    return ()


def _reads_well(text: str, charset: str) -> bool:
    """Tell text from binary, which one-byte charsets decode too, but to many control characters."""
    if len(CONTROL.findall(text)) > MAX_CONTROLS * len(text):
        return False
    if charset in ("cp949", "cp932"):
        wide = "".join(character for character in text if ord(character) > 127)
        return _in_its_script(text, wide, charset) >= MIN_IN_SCRIPT[charset] * len(wide)
    return True


def _in_its_script(text: str, wide: str, charset: str) -> int:
    """Count the characters beyond ASCII that the charset is used for; others decode by chance."""
    if charset == "cp932":
        # Accents of Western text become single ideographs; those of Japanese stand together.
        return sum(map(len, JAPANESE.findall(text)))
    # Western and Japanese text becomes rare Hangul; Korean is mostly the common syllables of KS X 1001, and its signs.
    pairs = wide.encode("cp949", "ignore")
    return sum(
        (0xB0 <= lead <= 0xC8 or lead == 0xA1) and trail >= 0xA1
        for lead, trail in zip(pairs[::2], pairs[1::2], strict=False)
    )
