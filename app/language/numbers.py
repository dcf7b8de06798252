"""Write the numbers of a text in one way: `2억 원`, `200,000,000원` and `이억 원` all become `200000000원`. Pure.

Telephone numbers lose what separates their digits, and percentages are all written `30percent`. The libraries for this
(text2num, word2number) know no Korean, and none joins telephone numbers.
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise

MAX_DIGITS = 18

# `５％` and `5%`.
NARROW = {0xFF00 + code: 0x20 + code for code in range(0x01, 0x5F)} | {0x3000: 0x20}
THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
# A country code (its end is seen, or it is Korea's) with or without the trunk prefix, a trunk prefix, or three groups
# of a North American number. Years and dates are none.
_ALONE = r"(?<![0-9A-Za-z_])(?<![0-9]\.)"
_ABROAD = r"\(?(?:(?:\+|00)(?:82|[2-9][0-9]{0,2}(?=[ .()-]))|82(?=-))\)?[ .-]?(?:\(0\)|\(?0?)[ .-]?"
PHONE = re.compile(
    rf"{_ALONE}(?:({_ABROAD})|\(?(?=0(?!01[ .()-])))"
    r"([0-9]{1,5})\)?[ .-]{0,2}([0-9]{3,4})[ .-]?([0-9]{3,4})(?![0-9])"
    rf"|{_ALONE}(?:\(?(?:\+|00)1\)?[ .-]?|1[ .-])?\(?([0-9]{{3}})\)?[ .-]{{1,2}}([0-9]{{3}})[ .-]([0-9]{{4}})(?![0-9])"
)
# Without an area, and it may be years: the parts stay beside the whole.
SHORT_PHONE = re.compile(r"(?<![\w.-])(1[568][0-9]{2})-([0-9]{4})(?![0-9-])")

KOREAN_DIGITS = "일이삼사오육칠팔구"
KOREAN_SCALES = {"십": 10, "백": 100, "천": 1000, "만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16}
_ARABIC = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
# What is counted follows a number written in Hangul alone, since 이천 and 구만 are names too.
_UNITS = "원|달러|유로|엔|위안|명|개|권|마리|톤|미터|킬로|리터|퍼센트|평|세대|가구"
_PARTICLE = "(?:[은는이가을를의에도로와과만대씩쯤입]|으로|까지|부터|정도|가량|어치|짜리|미만|초과|보다|규모|[^가-힣]|$)"
_COUNTED = rf"(?=\s?(?:{_UNITS}|%|프로{_PARTICLE}))"
# 3조 is an article or a team, unless money or a smaller scale follows.
_LARGEST = rf"[조경](?=\s?(?:[0-9.{KOREAN_DIGITS}십백천]{{1,8}}\s?[만억조]|(?:원|달러|유로|엔|위안|개|명){_PARTICLE}))"
_SCALE = rf"(?:[십백천만억]|{_LARGEST})"
BEFORE_UNIT = re.compile(rf"(?<=[0-9])\s(?={_UNITS})")
KOREAN = re.compile(
    rf"(?<![0-9.제])(?<!제\s){_ARABIC}\s?{_SCALE}{{1,2}}"
    rf"(?:\s?[0-9]{{1,4}}{_SCALE}{{1,2}}|\s?[{KOREAN_DIGITS}]?{_SCALE}{{1,2}}){{0,6}}"
    rf"(?:[0-9]{{1,4}}(?![0-9]))?"
    rf"|(?<![가-힣0-9])(?:[{KOREAN_DIGITS}]?{_SCALE}{{1,2}}\s?){{1,8}}[{KOREAN_DIGITS}]?{_COUNTED}"
    rf"|(?<![가-힣0-9])[{KOREAN_DIGITS}](?=\s?퍼센트)"
)
# Of two characters or more, from a digit or 十 on, since 千 and 萬 begin words; alone or before what is counted.
_HANJA_DIGITS, _HANJA_SCALES = "一二三四五六七八九壹貳參", "十拾百千萬万億兆"
HANJA = re.compile(
    rf"(?<![0-9.{_HANJA_DIGITS}{_HANJA_SCALES}])(?:{_ARABIC}(?=[{_HANJA_SCALES}])|[{_HANJA_DIGITS}](?=[0-9]?[{_HANJA_SCALES}])|[十拾])"
    rf"[0-9{_HANJA_DIGITS}{_HANJA_SCALES}]{{1,15}}(?=\s?[圓元円名人個卷冊年月日歲回坪條]|[^\u3040-\u30ff\u3400-\u9fff]|$)"
)
HANGUL_OF_HANJA = str.maketrans(_HANJA_DIGITS + _HANJA_SCALES, "일이삼사오육칠팔구일이삼십십백천만만억조")
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
KOREAN_PART = re.compile(rf"{_ARABIC}|[{KOREAN_DIGITS}{''.join(KOREAN_SCALES)}]")

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
ENGLISH_SCALES = {
    **{"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    **{"k": 10**3, "bn": 10**9, "tn": 10**12},
}
FRACTIONS = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}
_WORDS, _LARGE = "|".join(ENGLISH_WORDS), "hundred|thousand|million|billion|trillion"
_AND_A_HALF = r"[\s-]and[\s-]a[\s-](?:half|quarter)\b"
# `one` alone is a pronoun more often than a number.
ENGLISH = re.compile(
    rf"(?<![\w.])(?:{_ARABIC}(?:k\b|\s?(?:bn|tn)\b|[\s-](?:{_LARGE})\b|{_AND_A_HALF})"
    rf"|(?:(?!one\b)(?:{_WORDS}|hundred|thousand)|one(?=[\s-](?:{_LARGE}|per\s?cent)\b|{_AND_A_HALF}))\b"
    rf"|(?:(?:half|quarter\sof)\s)?a\s(?:{_LARGE})\b)"
    rf"(?:{_AND_A_HALF}|[\s-](?:and\s)?(?:{_WORDS}|{_LARGE})\b){{0,8}}",
    re.IGNORECASE,
)
ENGLISH_PART = re.compile(rf"{_ARABIC}|[a-z]+", re.IGNORECASE)
# Glued to its number, so that a particle after it is seen as one. 10프로젝트 is none, and %20 is a space of an address.
PERCENT = re.compile(
    rf"(?:(?<=[0-9])[\s-])?(?:퍼센트|\bper\s?cent(?:age)?\b|(?<=[0-9])per\s?cent\b)"
    rf"|(?<=[0-9])\s?(?:%(?![0-9A-Za-z])|pct\b)|(?<=[0-9])프로(?={_PARTICLE})",
    re.IGNORECASE,
)


def plain_numbers(text: str, *, with_parts: bool = False) -> str:
    """`with_parts`: the parts of a telephone number stand beside it, for a text that is found by them too."""
    text = THOUSANDS.sub("", text.translate(NARROW))
    text = PHONE.sub(lambda found: _phone(found, with_parts=with_parts), text)
    text = SHORT_PHONE.sub(r"\1 \2 \1\2", text)
    text = NATIVE.sub(lambda found: str(NATIVE_TENS[found[1]] + NATIVE_ONES.get(found[2], 0)), text)
    text = HANJA.sub(lambda found: _korean(found[0].translate(HANGUL_OF_HANJA)), text)
    text = ENGLISH.sub(_english, KOREAN.sub(lambda found: _korean(found[0]), text))
    return BEFORE_UNIT.sub("", PERCENT.sub("percent", text))


def _phone(found: re.Match[str], *, with_parts: bool) -> str:
    abroad, *parts = found.groups()
    groups = [group for group in parts if group]
    groups[0] = f"0{groups[0]}" if abroad else groups[0]
    return " ".join([*groups, "".join(groups)] if with_parts else ["".join(groups)])


def _korean(text: str) -> str:
    total, section, number = Decimal(), Decimal(), Decimal()
    largest = [KOREAN_SCALES[part] for part in text if KOREAN_SCALES.get(part, 0) >= 10**4]
    if any(one <= other for one, other in pairwise(largest)):
        return text
    for part in KOREAN_PART.findall(text):
        scale = KOREAN_SCALES.get(part, 0)
        if scale >= 10**4:
            total, section, number = total + (section + number or 1) * scale, Decimal(), Decimal()
        elif scale:
            section, number = section + (number or 1) * scale, Decimal()
        else:
            number = Decimal(KOREAN_DIGITS.find(part) + 1 or part)
    return _written(text, total + section + number)


def _english(found: re.Match[str]) -> str:
    total, section, last = Decimal(), Decimal(), 1
    for part in ENGLISH_PART.findall(found[0].lower()):
        scale = ENGLISH_SCALES.get(part, 0)
        if scale > 100:
            total, section, last = total + (section or 1) * scale, Decimal(), scale
        elif scale:
            section = (section or Decimal(1)) * scale
        elif fraction := FRACTIONS.get(part):
            # One and a half million, and a million and a half.
            section += fraction * (1 if section else last)
        elif part not in ("and", "a", "of"):
            section += Decimal(ENGLISH_WORDS.get(part, part))
    return _written(found[0], total + section)


def _written(text: str, number: Decimal) -> str:
    ending = " " if text[-1].isspace() else ""
    return text if number >= 10**MAX_DIGITS else f"{number:.9f}".rstrip("0").rstrip(".") + ending
