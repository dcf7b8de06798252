"""Displays serial numbers of days as dates, times and durations, by the date tokens of a format code."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

DAY_S = 86_400
MAX_SERIAL = 2_958_466
# Excel has a 29 February 1900, as Lotus 1-2-3 had.
LEAP_DAY = 60
KOREAN = "412"
JAPANESE = "411"
CHINESE = ("804", "404")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Token = tuple[str, str]


class DateFormat:
    def __init__(
        self, tokens: Sequence[Token], locale: str, epoch_1904: bool, otherwise: Callable[[float], str]
    ) -> None:
        self._tokens = _with_minutes([(kind, text if kind in ("quoted", "escaped") else text.lower())
                                      for kind, text in tokens])  # fmt: skip
        self._locale = locale
        self._epoch_1904 = epoch_1904
        self._otherwise = otherwise
        self._halves = any(kind == "ampm" for kind, _ in tokens)
        self._elapsed = any(kind == "elapsed" for kind, _ in tokens)
        places = (len(text.partition(".")[2]) for kind, text in tokens if kind == "date" and text[0] in "sS")
        self._places = max(places, default=0)

    def display(self, serial: float) -> str:
        unit = 10**self._places
        ticks = round(serial * DAY_S * unit)
        day, rest = divmod(ticks, DAY_S * unit)
        if day > MAX_SERIAL and not self._elapsed:
            return self._otherwise(serial)
        seconds, fraction = divmod(rest, unit)
        clock = (seconds // 3600, seconds // 60 % 60, seconds % 60, fraction)
        year, month, date, weekday = self._calendar(min(day, MAX_SERIAL))
        parts: list[str] = []
        for kind, text in self._tokens:
            if kind == "elapsed":
                parts.append(_padded(ticks // unit // {"h": 3600, "m": 60, "s": 1}[text[0]], text))
            elif kind == "ampm":
                parts.append(self._half(clock[0], text))
            elif (kind in ("date", "minutes") and text[0] in "hs") or kind == "minutes":
                parts.append(self._time(clock, text, kind))
            elif kind == "date":
                parts.append(self._date(year, month, date, weekday, text))
            else:
                parts.append(" " if kind == "space" else text)
        return "".join(parts)

    def _calendar(self, day: int) -> tuple[int, int, int, int]:
        if self._epoch_1904:
            day += 1462
        if day == LEAP_DAY and not self._epoch_1904:
            return 1900, 2, 29, 2
        if day == 0:
            return 1900, 1, 0, 5
        shown = datetime.date(1899, 12, 31 if day < LEAP_DAY else 30) + datetime.timedelta(days=day)
        weekday = shown.weekday() if day > LEAP_DAY else (shown.weekday() - 1) % 7
        return shown.year, shown.month, shown.day, weekday

    def _half(self, hour: int, text: str) -> str:
        if self._locale == KOREAN or text.startswith("오"):
            return "오전" if hour < 12 else "오후"
        half = "AM" if hour < 12 else "PM"
        return half[:1] if text == "a/p" else half

    def _time(self, clock: tuple[int, int, int, int], text: str, kind: str) -> str:
        hour, minute, second, fraction = clock
        if kind == "minutes":
            return _padded(minute, text)
        if text[0] == "h":
            return _padded((hour % 12 or 12) if self._halves else hour, text)
        whole, point, places = text.partition(".")
        shown = _padded(second, whole)
        return f"{shown}.{str(fraction).zfill(self._places)[: len(places)]}" if point else shown

    def _date(self, year: int, month: int, date: int, weekday: int, text: str) -> str:
        match text[0]:
            case "y":
                return str(year) if len(text) > 2 else f"{year % 100:02}"
            case "e":
                return str(year)
            case "b":
                return str(year + 543) if len(text) > 2 else f"{(year + 543) % 100:02}"
            case "a":
                return self._weekday(weekday, len(text) > 3)
            case "m" if len(text) > 2:
                return self._month(month, len(text))
            case "d" if len(text) > 2:
                if self._locale == KOREAN:
                    return self._weekday(weekday, len(text) > 3)
                return DAYS[weekday] if len(text) > 3 else DAYS[weekday][:3]
            case "m":
                return _padded(month, text)
            case "d":
                return _padded(date, text)
        return ""

    def _month(self, month: int, length: int) -> str:
        if self._locale == KOREAN:
            return f"{month}월"
        name = MONTHS[month - 1]
        return {3: name[:3], 5: name[:1]}.get(length, name)

    def _weekday(self, weekday: int, long: bool) -> str:
        if self._locale == JAPANESE:
            return "月火水木金土日"[weekday] + ("曜日" if long else "")
        if self._locale in CHINESE:
            return ("星期" if long else "周") + "一二三四五六日"[weekday]
        return "월화수목금토일"[weekday] + ("요일" if long else "")


def _padded(value: int, text: str) -> str:
    return str(value).zfill(2 if len(text) == 2 else 1)


def _with_minutes(tokens: list[Token]) -> list[Token]:
    """Tell minutes from months: they follow hours or stand before seconds."""
    timed = [at for at, (kind, _) in enumerate(tokens) if kind in ("date", "elapsed")]
    marked = list(tokens)
    for place, at in enumerate(timed):
        kind, text = tokens[at]
        if kind != "date" or text[0] != "m" or len(text) > 2:
            continue
        before = tokens[timed[place - 1]][1][0] if place else ""
        after = tokens[timed[place + 1]][1][0] if place + 1 < len(timed) else ""
        if before == "h" or after == "s":
            marked[at] = ("minutes", text)
    return marked
