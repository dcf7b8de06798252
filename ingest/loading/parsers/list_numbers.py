"""Writes the numbers of lists, headings and notes: decimal, Roman, letters, Korean, Chinese, Japanese, in circles.

Kinds are named as in Office Open XML (ST_NumberFormat). One that is not known here is written in decimal digits.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
GANADA = "가나다라마바사아자차카타파하"
CHOSUNG = "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"
LATIN = "abcdefghijklmnopqrstuvwxyz"
AIUEO = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
IROHA = "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセスン"
CYRILLIC = "абвгдежзиклмнопрстуфхцчшщэюя"
STEMS, BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
# After the last letter come two of the first, then two of the second.
LETTERS = {
    "lowerLetter": LATIN, "upperLetter": LATIN.upper(), "ganada": GANADA, "chosung": CHOSUNG,
    "aiueo": AIUEO, "aiueoFullWidth": AIUEO, "iroha": IROHA, "irohaFullWidth": IROHA,
    "russianLower": CYRILLIC, "russianUpper": CYRILLIC.upper(), "chicago": "*†‡§",
    "hebrew2": "אבגדהוזחטיכלמנסעפצקרשת", "arabicAlpha": "أبتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "arabicAbjad": "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ", "thaiLetters": "กขคงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ",
}  # fmt: skip
# After the last sign come decimal digits.
SIGNS = {
    "decimalEnclosedCircle": "".join(
        map(chr, [*range(0x2460, 0x2474), *range(0x3251, 0x3260), *range(0x32B1, 0x32C0)])
    ),
    "decimalEnclosedParen": "".join(map(chr, range(0x2474, 0x2488))),
    "decimalEnclosedFullstop": "".join(map(chr, range(0x2488, 0x249C))),
    "ideographEnclosedCircle": "".join(map(chr, range(0x3280, 0x328A))),
    "ideographTraditional": STEMS,
    "ideographZodiac": BRANCHES,
}
SIGNS["decimalEnclosedCircleChinese"] = SIGNS["decimalEnclosedCircle"]
DIGITS = {
    "decimalFullWidth": "０１２３４５６７８９", "decimalFullWidth2": "０１２３４５６７８９",
    "koreanDigital": "영일이삼사오육칠팔구", "koreanDigital2": "零一二三四五六七八九",
    "ideographDigital": "〇一二三四五六七八九", "japaneseDigitalTenThousand": "〇一二三四五六七八九",
    "taiwaneseDigital": "○一二三四五六七八九", "thaiNumbers": "๐๑๒๓๔๕๖๗๘๙", "hindiNumbers": "०१२३४५६७८९",
}  # fmt: skip
# Digits, then the units ten, hundred, thousand and ten thousand, and whether a one stands before a hundred and up.
COUNTED = {
    "koreanCounting": ("일이삼사오육칠팔구", "십백천만", False),
    "chineseCounting": ("一二三四五六七八九", "十百千万", True),
    "chineseCountingThousand": ("一二三四五六七八九", "十百千万", True),
    "taiwaneseCounting": ("一二三四五六七八九", "十百千萬", True),
    "taiwaneseCountingThousand": ("一二三四五六七八九", "十百千萬", True),
    "japaneseCounting": ("一二三四五六七八九", "十百千万", False),
    "japaneseLegal": ("壱弐参四伍六七八九", "拾百阡萬", True),
    "chineseLegalSimplified": ("壹贰叁肆伍陆柒捌玖", "拾佰仟萬", True),
    "ideographLegalTraditional": ("壹貳參肆伍陸柒捌玖", "拾佰仟萬", True),
}
NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
NATIVE_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
# Beyond this the other systems are of no use, and some write a number as long as it is large.
MAX_NUMBER = 9999
MAX_ROUNDS = 20


def formatted(number: int, kind: str) -> str:
    if kind == "none":
        return ""
    if not 0 < number <= MAX_NUMBER:
        return str(number)
    if letters := LETTERS.get(kind):
        round_, index = divmod(number - 1, len(letters))
        return letters[index] * (round_ + 1) if round_ < MAX_ROUNDS else str(number)
    if signs := SIGNS.get(kind):
        return signs[number - 1] if number <= len(signs) else str(number)
    if digits := DIGITS.get(kind):
        return "".join(digits[int(digit)] for digit in str(number))
    if kind in COUNTED:
        return _counted(number, *COUNTED[kind])
    return _written(number, kind)


def _written(number: int, kind: str) -> str:
    if writer := WRITERS.get(kind):
        return writer(number)
    # A pattern of an author's own, such as `001, 002, 003, ...`.
    return str(number).zfill(len(kind.partition(",")[0].strip())) if kind[:1].isdigit() else str(number)


def _native(number: int) -> str:
    return NATIVE_TENS[number // 10] + NATIVE_ONES[number % 10] if number < 100 else str(number)


def _roman(number: int) -> str:
    written = ""
    for value, sign in ROMAN:
        times, number = divmod(number, value)
        written += sign * times
    return written


def _counted(number: int, digits: str, units: str, with_one: bool) -> str:
    written = ""
    for digit, unit in zip_longest(map(int, str(number)[::-1]), ("", *units[:3])):
        if digit:
            silent = digit == 1 and unit and (unit == units[0] or not with_one)
            written = ("" if silent else digits[digit - 1]) + unit + written
    return written


def _ending(number: int) -> str:
    return "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _english(number: int) -> str:
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens] + (f"-{ONES[ones]}" if ones else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    large, rest = divmod(number, size)
    return f"{_english(large)} {name}" + (f" {_english(rest)}" if rest else "")


def _ordinal(number: int) -> str:
    written = _english(number)
    start = max(written.rfind(" "), written.rfind("-")) + 1
    last = written[start:]
    return written[:start] + ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


WRITERS: dict[str, Callable[[int], str]] = {
    "lowerRoman": _roman,
    "upperRoman": lambda number: _roman(number).upper(),
    "decimalZero": "{:02}".format,
    "numberInDash": "- {} -".format,
    "hex": "{:X}".format,
    "ordinal": lambda number: f"{number}{_ending(number)}",
    "cardinalText": lambda number: _english(number).capitalize(),
    "ordinalText": lambda number: _ordinal(number).capitalize(),
    "koreanLegal": _native,
    "ideographZodiacTraditional": lambda number: STEMS[(number - 1) % 10] + BRANCHES[(number - 1) % 12],
}
