"""Displays a spreadsheet's numbers by their format codes: `4.75%`, `000073`, `₩1,200`, `1 1/2`, `2024년 6월 7일`.

The libraries that do this in Python are single releases of 2020 and forks of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ingest.loading.parsers.date_format import CHINESE, JAPANESE, KOREAN, DateFormat
from ingest.loading.parsers.decimal_format import DecimalFormat, FractionFormat, Token, general, literal
from ingest.loading.parsers.number_words import SYSTEMS, in_words

Display = Callable[[float], str]

TOKEN = re.compile(
    r"""
    "(?P<quoted>[^"]*)"? | \\(?P<escaped>.) | _(?P<space>.) | \*(?P<fill>.)
    | \[\$(?P<currency>[^\]-]*)(?:-(?P<locale>[^\]]*))?\]
    | \[(?P<elapsed>h+|m+|s+)\] | \[(?P<condition>[<>=]+)\s*(?P<limit>-?[0-9.]+)\] | (?P<bracket>\[[^\]]*\])
    | (?P<general>General|G/표준) | (?P<exponent>E[+-]) | (?P<ampm>AM/PM|A/P|오전/오후)
    | (?P<date>y+|m+|d+|h+|s+(?:\.0+)?|a{3,4}|b{2,4}|e+|g+) | (?P<digits>[0#?]) | (?P<sign>[.,%/@]) | (?P<literal>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}
# Codes that every workbook has. Where they follow the reader's country, the international date, and the dollars that
# libraries mean: programs of other countries write down their own codes of money.
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0;-$#,##0", 6: "$#,##0;-$#,##0",
    7: "$#,##0.00;-$#,##0.00", 8: "$#,##0.00;-$#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?",
    13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 27: 'yyyy"年" mm"月" dd"日"', 28: "mm-dd", 29: "mm-dd",
    30: "mm-dd-yy", 31: 'yyyy"년" mm"월" dd"일"', 32: 'h"시" mm"분"', 33: 'h"시" mm"분" ss"초"', 34: "yyyy-mm-dd",
    35: "yyyy-mm-dd", 36: 'yyyy"年" mm"月" dd"日"', 37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00",
    40: "#,##0.00;-#,##0.00", 41: '#,##0;-#,##0;"-"', 42: '$#,##0;-$#,##0;"-"', 43: '#,##0.00;-#,##0.00;"-"',
    44: '$#,##0.00;-$#,##0.00;"-"', 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    50: 'yyyy"年" mm"月" dd"日"', 51: "mm-dd", 52: "yyyy-mm-dd", 53: "yyyy-mm-dd", 54: "mm-dd", 55: "yyyy-mm-dd",
    56: "mm-dd", 57: 'yyyy"年" mm"月" dd"日"', 58: "mm-dd",
}  # fmt: skip
LANGUAGES = {"ko": KOREAN, "ja": JAPANESE, "zh": CHINESE[0]}
MAX_CODE = 1000


@dataclass(frozen=True, slots=True)
class Section:
    tokens: list[Token]
    condition: Callable[[float], bool] | None
    locale: str
    numerals: str
    """The system of `[DBNum4]` and its like, which write numbers in words."""

    def has(self, kind: str, *texts: str) -> bool:
        return any(each == kind and (not texts or text in texts) for each, text in self.tokens)


class NumberFormat:
    """One format code. Its sections stand for positive, negative and zero numbers, or for conditions, and for text."""

    def __init__(self, code: str, epoch_1904: bool = False) -> None:
        sections = _sections(code[:MAX_CODE])
        self._text = sections.pop() if len(sections) == 4 else None
        if self._text is None and sections[-1].has("sign", "@"):
            self._text = sections[-1]
            sections = sections[:-1] if len(sections) > 1 else []
        self._sections = sections
        self._displays = [_display(section, epoch_1904) for section in sections]
        self._conditions = any(section.condition for section in sections)
        self.hides = bool(sections) and not any(section.tokens for section in sections)
        """Whether no number is shown, as by `;;;`."""

    def number(self, value: float) -> str:
        if not self._sections:
            return general(value)
        at = self._chosen(value)
        if at is None:
            return "#" * 8
        # A section for negative numbers alone writes their sign itself, or leaves it out.
        signed = value < 0 and (at == 0 or self._conditions)
        shown = self._displays[at](abs(value)).strip()
        return f"-{shown}" if signed and re.search("[1-9]", shown) else shown

    def text(self, value: str) -> str:
        if self._text is None:
            return value
        return "".join(value if token == ("sign", "@") else literal(*token) for token in self._text.tokens).strip()

    def _chosen(self, value: float) -> int | None:
        if self._conditions:
            for at, section in enumerate(self._sections):
                if section.condition is None or section.condition(value):
                    return at
            return None
        if value < 0 and len(self._sections) > 1:
            return 1
        return 2 if value == 0 and len(self._sections) > 2 else 0


def _sections(code: str) -> list[Section]:
    sections: list[list[re.Match[str]]] = [[]]
    for token in TOKEN.finditer(code):
        if token["literal"] == ";":
            sections.append([])
        else:
            sections[-1].append(token)
    return [_section(tokens) for tokens in sections[:4]]


def _section(found: list[re.Match[str]]) -> Section:
    tokens: list[Token] = []
    condition, locale, numerals = None, "", ""
    for token in found:
        kind = token.lastgroup or ""
        if kind == "limit" and token["condition"] in COMPARISONS:
            compare, limit = COMPARISONS[token["condition"]], float(token["limit"])
            condition = lambda value, compare=compare, limit=limit: compare(value, limit)  # noqa: E731
        elif kind in ("currency", "locale"):
            locale = _language(token["locale"] or "") or locale
            tokens.append(("quoted", token["currency"]))
        elif kind == "bracket":
            numerals = token["bracket"][6:7] if token["bracket"].lower().startswith("[dbnum") else numerals
        elif kind not in ("fill", "limit"):
            tokens.append((kind, token[kind]))
    return Section(tokens, condition, locale, numerals)


def _language(locale: str) -> str:
    """Return the last digits of Windows' number for it: some programs write `ko-KR`."""
    return LANGUAGES.get(locale[:2].lower(), locale.partition(",")[0][-3:])


def _display(section: Section, epoch_1904: bool) -> Display:
    if section.has("general"):
        write = partial(in_words, system=section.numerals) if section.numerals in SYSTEMS else general
        return lambda value: "".join(
            write(value) if kind == "general" else literal(kind, text) for kind, text in section.tokens
        )
    if section.has("date") or section.has("elapsed") or section.has("ampm"):
        return DateFormat(section.tokens, section.locale, epoch_1904, general).display
    if not section.has("digits"):
        shown = "".join(literal(*token) if token != ("sign", "%") else "%" for token in section.tokens)
        return lambda _: shown
    if section.has("sign", "/"):
        return FractionFormat(section.tokens).display
    return DecimalFormat(section.tokens).display
