"""Write the numbers of a text in one way: `2억 원`, `200,000,000원` and `이억 원` all become `200000000원`. Pure.

Telephone numbers lose what separates their digits. The libraries for this (text2num, word2number) know no Korean, and
none joins telephone numbers.
"""

from __future__ import annotations

import re
from itertools import pairwise

MAX_DIGITS = 18

THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
# A trunk prefix, Korea's country code or three groups of a North American number. Years and dates are none.
PHONE = re.compile(
    r"(?<![\w.])(?:\+82[ .-]?\(?0?|\(?(?=0))([0-9]{1,5})\)?[ .-]{0,2}([0-9]{3,4})[ .-]?([0-9]{3,4})(?![0-9])"
    r"|(?<![\w.])\(?([0-9]{3})\)?[ .-]([0-9]{3})[ .-]([0-9]{4})(?![0-9])"
)
# Without an area, and it may be years: the parts stay beside the whole.
SHORT_PHONE = re.compile(r"(?<![\w.-])(1[568][0-9]{2})-([0-9]{4})(?![0-9-])")

KOREAN_DIGITS = "일이삼사오육칠팔구"
KOREAN_SCALES = {"십": 10, "백": 100, "천": 1000, "만": 10**4, "억": 10**8}
_SCALES = "".join(KOREAN_SCALES)
_ARABIC = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
# What is counted follows a number written in Hangul alone, since 이천 and 구만 are names too.
_UNITS = "원|달러|유로|엔|위안|명|개|권|마리|톤|미터|킬로|리터|퍼센트|평|세대|가구"
_COUNTED = rf"(?=\s?(?:{_UNITS}))"
BEFORE_UNIT = re.compile(rf"(?<=[0-9])\s(?={_UNITS})")
KOREAN = re.compile(
    rf"(?<![0-9.]){_ARABIC}\s?[{_SCALES}]{{1,2}}(?:\s?[0-9]{{1,4}}[{_SCALES}]{{1,2}}|[{KOREAN_DIGITS}]?[{_SCALES}]{{1,2}}){{0,6}}"
    rf"(?:[0-9]{{1,4}}(?![0-9]))?"
    rf"|(?<![가-힣0-9])(?:[{KOREAN_DIGITS}]?[{_SCALES}]{{1,2}}\s?){{1,8}}[{KOREAN_DIGITS}]?{_COUNTED}"
)
# What things are counted with in speech, from ten on. One that begins another word is none: 열 시스템, 열 개방.
NATIVE_TENS = {
    **{"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40},
    **{"쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90},
}
NATIVE_ONES = {"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9}
NATIVE = re.compile(
    rf"(?<![가-힣])({'|'.join(NATIVE_TENS)})({'|'.join(NATIVE_ONES)})?\s?"
    r"(?=(?:명|개|권|마리|살|시간?|번|가지|군데|세대|가구|사람)(?:[은는이가을를의에도로와과만]|[^가-힣]|$))"
)
KOREAN_PART = re.compile(rf"{_ARABIC}|[{KOREAN_DIGITS}{_SCALES}]")

ENGLISH_WORDS = {
    word: number
    for names, step, first in (
        ("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen", 1, 1),
        ("seventeen eighteen nineteen", 1, 17),
        ("twenty thirty forty fifty sixty seventy eighty ninety", 10, 20),
    )
    for place, word in enumerate(names.split())
    for number in (first + step * place,)
}
ENGLISH_SCALES = {"hundred": 100, "thousand": 10**3, "k": 10**3, "million": 10**6, "billion": 10**9}
_WORDS, _LARGE = "|".join(ENGLISH_WORDS), "hundred|thousand|million|billion"
# `one` alone is a pronoun more often than a number.
ENGLISH = re.compile(
    rf"(?<![\w.])(?:{_ARABIC}(?:k\b|\s(?:{_LARGE})\b)|(?:(?!one\b)(?:{_WORDS}|hundred|thousand)|one(?=[\s-](?:{_LARGE})))\b)"
    rf"(?:[\s-](?:and\s)?(?:{_WORDS}|{_LARGE})\b){{0,8}}",
    re.IGNORECASE,
)
ENGLISH_PART = re.compile(rf"{_ARABIC}|[a-z]+", re.IGNORECASE)


def plain_numbers(text: str, *, with_parts: bool = False) -> str:
    """`with_parts`: the parts of a telephone number stand beside it, for a text that is found by them too."""
    text = PHONE.sub(lambda found: _phone(found, with_parts=with_parts), THOUSANDS.sub("", text))
    text = SHORT_PHONE.sub(r"\1 \2 \1\2", text)
    text = NATIVE.sub(lambda found: str(NATIVE_TENS[found[1]] + NATIVE_ONES.get(found[2], 0)), text)
    return BEFORE_UNIT.sub("", ENGLISH.sub(_english, KOREAN.sub(_korean, text)))


def _phone(found: re.Match[str], *, with_parts: bool) -> str:
    groups = [group for group in found.groups() if group]
    groups[0] = f"0{groups[0]}" if found[0].startswith("+") else groups[0]
    return " ".join([*groups, "".join(groups)] if with_parts else ["".join(groups)])


def _korean(found: re.Match[str]) -> str:
    total, section, number = 0.0, 0.0, 0.0
    largest = [KOREAN_SCALES[part] for part in found[0] if KOREAN_SCALES.get(part, 0) >= 10**4]
    if any(one <= other for one, other in pairwise(largest)):
        return found[0]
    for part in KOREAN_PART.findall(found[0]):
        scale = KOREAN_SCALES.get(part, 0)
        if scale >= 10**4:
            total, section, number = total + (section + number or 1) * scale, 0.0, 0.0
        elif scale:
            section, number = section + (number or 1) * scale, 0.0
        else:
            number = float(KOREAN_DIGITS.find(part) + 1 or part)
    return _written(found[0], total + section + number)


def _english(found: re.Match[str]) -> str:
    total, section = 0.0, 0.0
    for part in ENGLISH_PART.findall(found[0].lower()):
        scale = ENGLISH_SCALES.get(part, 0)
        if scale > 100:
            total, section = total + (section or 1) * scale, 0.0
        elif scale:
            section = (section or 1) * scale
        elif part != "and":
            section += ENGLISH_WORDS.get(part) or float(part)
    return _written(found[0], total + section)


def _written(text: str, number: float) -> str:
    ending = " " if text[-1].isspace() else ""
    return text if number >= 10**MAX_DIGITS else f"{number:.9f}".rstrip("0").rstrip(".") + ending
