"""Writes whole numbers in Korean words and in Chinese characters, as spreadsheets do in contracts and receipts."""

from __future__ import annotations

from ingest.loading.parsers.decimal_format import general

# By the number in `[DBNum1]`: digits, units to a thousand, units of four digits.
SYSTEMS = {
    "1": ("〇一二三四五六七八九", ("", "十", "百", "千"), ("", "万", "億", "兆")),
    "2": ("零壹貳參四伍六七八九", ("", "拾", "百", "阡"), ("", "萬", "億", "兆")),
    "4": ("영일이삼사오육칠팔구", ("", "십", "백", "천"), ("", "만", "억", "조")),
}
MAX_NUMBER = 10**16


def in_words(value: float, system: str) -> str:
    if value != int(value) or not 0 <= value < MAX_NUMBER:
        return general(value)
    digits, small, large = SYSTEMS[system]
    if not value:
        return digits[0]
    words = ""
    for place, digit in enumerate(reversed(str(int(value)))):
        group, within = divmod(place, len(small))
        if not within and int(value) // 10**place % 10**4:
            words = large[group] + words
        if digit != "0":
            words = digits[int(digit)] + small[within] + words
    return words
