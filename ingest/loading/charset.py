"""Decodes bytes to text: byte order mark, UTF-8, the declared charset, CP949, and last those of other scripts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.loading.alphabets import OWN, is_own, is_western

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
# By these sequences alone ISO-2022 goes over to the characters of a language.
ISO_2022 = ((b"\x1b$B", "iso2022_jp"), (b"\x1b$@", "iso2022_jp"), (b"\x1b$)C", "iso2022_kr"))
# The web's euc-kr and ks_c_5601 mean Microsoft's larger set (WHATWG Encoding Standard).
ALIASES = {
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "windows-949": "cp949",
    "x-windows-949": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-sjis": "cp932",
    "iso-8859-8-i": "cp1255",
    "iso-8859-1": "cp1252",
    "shift_jis": "cp932",
}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
# In UTF-8 they are these bytes, or begin with the second: there are as many or fewer, and bytes are counted faster.
CONTROL_BYTES = bytes([*range(9), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
FIRST_OF_CONTROL = b"\xc2"
JAPANESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff]{2,}")
IDEOGRAPH = re.compile("[\u4e00-\u9fff]")
# Of text in Korean, every fourth syllable or more.
FREQUENT = re.compile("[이다의는에을를은가고하지로기사도서한인]")
MIN_FREQUENT, MAX_IDEOGRAPHS = 0.1, 0.15
MIN_IN_SCRIPT = {"cp949": 0.6, "cp932": 0.8}
# What texts are mostly written in; the rest of the 16-bit codes are rare ideographs and signs.
IN_USE = re.compile(
    r"[\t\n\r -~\u00a0-\u024f\u0300-\u06ff\u0900-\u097f\u0e00-\u0e7f\u1e00-\u1eff\u2010-\u2027\u20a0-\u20bf"
    r"\u2460-\u24ff\u25a0-\u25ff\u3000-\u30ff\u3200-\u32ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff60]"
)
CYRILLIC = re.compile("[\u0400-\u045f]")
# Capitals after small letters, and Latin letters beside Cyrillic ones.
ODD_PAIR = re.compile("[\u0430-\u045f][\u0400-\u042f]|[A-Za-z][\u0400-\u045f]|[\u0400-\u045f][A-Za-z]")
LATIN = "".join(map(chr, range(0xC0, 0x180)))
CAPITAL_INSIDE = re.compile(f"[a-z{''.join(filter(str.islower, LATIN))}][{''.join(filter(str.isupper, LATIN))}]")
# Signs between letters, right after one, or two together.
SIGN_INSIDE = re.compile(
    "[^\\W\\d_][‚„†‡ˆ‰‹›˘\xa1-\xa9\xac-\xb3\xb5\xb6\xb8-\xbf\xd7\xf7][^\\W\\d_]"
    "|[^\\W\\d_][‘“„‡ˆ‹˘¡¨¸\xb9\xbc-\xbf]|[‚„†‡ˆ‰‹¢-ª¬-´¶¸-º¼-¾×÷]{2}"
)
MAX_CONTROLS = 0.03
SAMPLE_BYTES, MIN_NULS, MIN_IN_USE = 1 << 16, 0.02, 0.95
MIN_CYRILLIC, MIN_COMMON, MAX_ODD_PAIRS = 0.9, 0.36, 0.01
MAX_ACCENTED, MAX_SIGNS = 0.4, 0.1
MAX_BROKEN = 0.1


@dataclass(frozen=True, slots=True)
class Decoded:
    """`guessed`: the charset, if nothing says that it is this one. `has_gaps`: bytes that do not fit became U+FFFD."""

    text: str
    guessed: str | None = None
    has_gaps: bool = False


def decode(content: bytes, named: str | None = None) -> Decoded | None:
    """Return the text, or None if this is not text. `named`: the charset given with it, if any."""
    for mark, charset in MARKS:
        if content.startswith(mark):
            marked = _try(content, charset)
            return None if marked is None else Decoded(marked)
    declared = (_canonical(named),) if named else _declared(content)
    for charset, has_gaps in _candidates(content, declared):
        text = _nearly(content, charset) if has_gaps else _try(content, charset)
        if text is not None and _reads_well(text, charset, content):
            is_sure = charset == "utf-8" or charset in declared
            return Decoded(text, None if is_sure else charset, has_gaps)
    return None


def decoded_text(content: bytes, named: str | None = None) -> str | None:
    decoded = decode(content, named)
    return decoded.text if decoded else None


def _candidates(content: bytes, declared: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield charsets, and whether they may fit nearly."""
    # UTF-8 is not valid by accident and declarations are often wrong; but ISO-2022 passes for ASCII.
    first = (*declared, *(name for mark, name in ISO_2022 if mark in content)) if ESCAPE in content else ()
    for charset in (*_utf_16_without_mark(content), *first, "utf-8", *declared, "cp949"):
        yield charset, False
    for charset in ("utf-8", *declared, "cp949"):
        yield charset, True
    for charset in ("cp932", "cp1251", "koi8-u", *OWN, "cp1252"):
        yield charset, False


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
    """Recognise UTF-16 by the NUL bytes of its spaces, line ends and English letters."""
    sample = content[:SAMPLE_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if len(content) % 2 or even + odd < MIN_NULS * len(sample) or not even + odd:
        return ()
    return ("utf-16-be", "utf-16-le") if even > odd else ("utf-16-le", "utf-16-be")


def _reads_well(text: str, charset: str, content: bytes) -> bool:
    """Tell text from binary, which one-byte charsets decode too, but to many control characters."""
    if charset == "utf-8" and _most_controls(content) <= MAX_CONTROLS * len(text):
        return True
    if len(CONTROL.findall(text)) > MAX_CONTROLS * len(text):
        return False
    if charset in ("cp949", "cp932"):
        wide = "".join(character for character in text if ord(character) > 127)
        return _in_its_script(text, wide, charset) >= MIN_IN_SCRIPT[charset] * len(wide)
    if charset.startswith("utf-16-"):
        return len(IN_USE.findall(text)) >= MIN_IN_USE * len(text)
    if charset in ("cp1251", "koi8-u"):
        return _is_russian(text)
    if charset in OWN:
        return _has_whole_words(text) and is_own(text, charset)
    return charset != "cp1252" or (_has_whole_words(text) and is_western(text, content))


def _most_controls(utf_8: bytes) -> int:
    return len(utf_8) - len(utf_8.translate(None, CONTROL_BYTES)) + utf_8.count(FIRST_OF_CONTROL)


def _is_russian(text: str) -> bool:
    """Other one-byte charsets decode to Cyrillic too, but to other letters, or to capitals inside of words.

    Those of Hebrew have none of the last letters, or capitals alone.
    """
    letters = CYRILLIC.findall(text)
    common = sum(letter in "оеаинтОЕАИНТ" for letter in letters)
    wide = sum(ord(character) > 127 for character in text)
    return (
        len(letters) >= MIN_CYRILLIC * wide > 0
        and common >= MIN_COMMON * len(letters)
        and 2 * sum(map(str.islower, letters)) > len(letters)
        and any(letter in "ыьэюяіїєЫЬЭЮЯІЇЄ" for letter in letters)
        and len(ODD_PAIR.findall(text)) <= MAX_ODD_PAIRS * len(letters)
    )


def _has_whole_words(text: str) -> bool:
    """Among the letters of a language few are accented, and words have neither signs nor capitals inside. No text has
    control characters, which the standard's sets of one byte have for 32 of them."""
    if CONTROL.search(text):
        return False
    letters = sum(map(str.isalpha, text))
    accented = sum(character.isalpha() and ord(character) > 127 for character in text)
    odd = len(SIGN_INSIDE.findall(text)) + len(CAPITAL_INSIDE.findall(text))
    return accented <= MAX_ACCENTED * letters and odd <= MAX_SIGNS * accented


def _in_its_script(text: str, wide: str, charset: str) -> int:
    """Count the characters beyond ASCII that the charset is used for; others decode by chance."""
    if charset == "cp932":
        # Accents of Western text become single ideographs; those of Japanese stand together.
        return sum(map(len, JAPANESE.findall(text)))
    ideographs = len(IDEOGRAPH.findall(wide))
    if ideographs > MAX_IDEOGRAPHS * len(wide) and len(FREQUENT.findall(wide)) < MIN_FREQUENT * len(wide):
        # Chinese becomes ideographs and any syllables.
        return 0
    # Western and Japanese text becomes rare Hangul; Korean is mostly the common syllables of KS X 1001, and its signs.
    pairs = wide.encode("cp949", "ignore")
    return ideographs + sum(
        (0xB0 <= lead <= 0xC8 or lead == 0xA1) and trail >= 0xA1
        for lead, trail in zip(pairs[::2], pairs[1::2], strict=False)
    )
