"""Writes numbers as Hancom's numbered paragraphs, captions, notes and composed characters show them."""

from __future__ import annotations

from collections.abc import Callable

# In the order of HWP 5's codes. HWPX and HWPML write the same names in their own spelling.
FORMATS = (
    "digit", "circleddigit", "romancapital", "romansmall", "latincapital", "latinsmall", "circledlatincapital",
    "circledlatinsmall", "hangulsyllable", "circledhangulsyllable", "hanguljamo", "circledhanguljamo",
    "hangulphonetic", "ideograph", "circledideograph", "decagoncircle", "decagoncirclehanja",
)  # fmt: skip
ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
         (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
MAX_ROMAN = 3999
INITIALS = "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"
# 가 … 하, then 거 … 허, 고 … 호, 구 … 후, 그 … 흐, 기 … 히, as Korean offices count on.
SYLLABLES = "".join(
    chr(0xAC00 + (initial * 21 + vowel) * 28)
    for vowel in (0, 4, 8, 13, 18, 20)
    for initial in (0, 2, 3, 5, 6, 7, 9, 11, 12, 14, 15, 16, 17, 18)
)
CIRCLED = "".join(map(chr, [*range(0x2460, 0x2474), *range(0x3251, 0x3260), *range(0x32B1, 0x32C0)]))
PHONETIC, IDEOGRAPHS = "일이삼사오육칠팔구십백천만", "一二三四五六七八九十百千萬"
STEMS, STEMS_HANJA = "갑을병정무기경신임계", "甲乙丙丁戊己庚辛壬癸"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def named(name: str) -> str:
    """Return the format of that name in HWPX (`HANGUL_SYLLABLE`) or HWPML (`HangulSyllable`)."""
    return name.replace("_", "").lower()


def coded(code: int) -> str:
    return FORMATS[code] if code < len(FORMATS) else FORMATS[0]


def written(number: int, number_format: str) -> str:
    return WAYS.get(number_format, str)(number) if number > 0 else str(number)


def circled(text: str) -> str:
    """Return the one character that shows this text in a circle, or the text in brackets."""
    if text.isascii() and text.isdigit() and 0 < int(text[:3]) <= len(CIRCLED) and len(text) <= len("50"):
        return CIRCLED[int(text) - 1]
    plain, rings = f"{SYLLABLES[:14]}{INITIALS}{LETTERS}{LETTERS.upper()}{IDEOGRAPHS[:10]}", RINGS
    return rings[plain.index(text)] if len(text) == 1 and text in plain else f"({text})"


def _span(first: int, count: int) -> str:
    return "".join(map(chr, range(first, first + count)))


RINGS = _span(0x326E, 14) + _span(0x3260, 14) + _span(0x24D0, 26) + _span(0x24B6, 26) + _span(0x3280, 10)


def _roman(number: int) -> str:
    if number > MAX_ROMAN:
        return str(number)
    letters = ""
    for value, letter in ROMAN:
        letters += letter * (number // value)
        number %= value
    return letters


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, len(LETTERS))
        letters = LETTERS[rest] + letters
    return letters


def _of(characters: str) -> Callable[[int], str]:
    return lambda number: characters[number - 1] if number <= len(characters) else str(number)


def _round(characters: str) -> Callable[[int], str]:
    return lambda number: characters[(number - 1) % len(characters)]


def _in_circle(write: Callable[[int], str]) -> Callable[[int], str]:
    return lambda number: circled(write(number))


def _counted(digits: str) -> Callable[[int], str]:
    """Count as 십일, 이십 … 천이백 do: a one is not said before ten, hundred and thousand."""

    def write(number: int) -> str:
        if number >= 10**4:
            return str(number)
        said = ""
        for power, unit in ((1000, digits[11]), (100, digits[10]), (10, digits[9])):
            times, number = divmod(number, power)
            said += (digits[times - 1] if times > 1 else "") + unit if times else ""
        return said + (digits[number - 1] if number else "")

    return write


WAYS: dict[str, Callable[[int], str]] = {
    "circleddigit": _in_circle(str),
    "romancapital": lambda number: _roman(number).upper(),
    "romansmall": _roman,
    "latincapital": lambda number: _letters(number).upper(),
    "latinsmall": _letters,
    "circledlatincapital": _in_circle(lambda number: _letters(number).upper()),
    "circledlatinsmall": _in_circle(_letters),
    "hangulsyllable": _of(SYLLABLES),
    "circledhangulsyllable": _in_circle(_of(SYLLABLES)),
    "hanguljamo": _of(INITIALS),
    "circledhanguljamo": _in_circle(_of(INITIALS)),
    "hangulphonetic": _counted(PHONETIC),
    "ideograph": _counted(IDEOGRAPHS),
    "circledideograph": _in_circle(_counted(IDEOGRAPHS)),
    "decagoncircle": _round(STEMS),
    "decagoncirclehanja": _round(STEMS_HANJA),
}
