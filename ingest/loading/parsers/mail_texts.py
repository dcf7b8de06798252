"""The texts of a mail's parts: flowed lines, calendars, and which of two versions says more."""

from __future__ import annotations

import re
from collections import Counter

WORD = re.compile(r"https?://\S+|[^\W_]+")
# What a mail says instead of its content to programs that show no HTML.
STUB = re.compile(r"html|browser|브라우저|보이지|지원하지", re.IGNORECASE)
MAX_STUB_WORDS = 60
# Below this share of its words one version lacks something that the other says.
MIN_COVERED = 0.8
# So many words more are something that the other version leaves out, as at an end that was cut off.
MIN_MORE = 3
TABLE = "| --- |"
FOLDED = re.compile(r"\r?\n[ \t]")
ESCAPED = re.compile(r"\\([\\;,nN])")
CALENDAR = {
    "SUMMARY": "Summary",
    "DTSTART": "Start",
    "DTEND": "End",
    "DUE": "Due",
    "LOCATION": "Location",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "RRULE": "Repeats",
    "DESCRIPTION": "Description",
    "COMMENT": "Comment",
}
# Of alarms and time zones, which calendars hold too, nobody reads anything.
EVENTS = ("VCALENDAR", "VEVENT", "VTODO", "VJOURNAL")
# In a parameter in quotes a colon may stand.
PROPERTY = re.compile(r"""((?:[^":]|"[^"]*")*+):\s*(.*?)\s*""")
TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
FLOWED_LINE = re.compile(r"(>*)( ?)(.*)")
SIGNATURE = "-- "


def better(plain: str, marked_up: str) -> str:
    """Return the version of an alternative that says more, or both if each says what the other does not.

    Plain text is taken if it has four fifths of the words of the HTML, unless that has a table or words more; the HTML
    if it has as much of the plain text, or if that is shorter, or says only that there is HTML.
    """
    if not plain.strip() or not marked_up.strip():
        return plain if plain.strip() else marked_up
    few, many = _words(plain), _words(marked_up)
    has_more = TABLE in marked_up or many.total() - few.total() >= MIN_MORE
    if _covered(many, by=few) >= MIN_COVERED and not (has_more and _covered(few, by=many) >= MIN_COVERED):
        return plain
    stub = few.total() <= MAX_STUB_WORDS and STUB.search(plain)
    if stub or few.total() <= many.total() or _covered(few, by=many) >= MIN_COVERED:
        return marked_up
    return f"{plain.rstrip()}\n\n{marked_up}"


def same(one: str, other: str) -> bool:
    """Tell whether two texts say nearly the same."""
    few, many = _words(one), _words(other)
    return min(_covered(few, by=many), _covered(many, by=few)) >= MIN_COVERED


def _words(text: str) -> Counter[str]:
    return Counter(word.casefold() for word in WORD.findall(text) if "://" not in word)


def _covered(words: Counter[str], *, by: Counter[str]) -> float:
    return (words & by).total() / max(1, words.total())


def unflowed(text: str, *, delsp: bool) -> str:
    """Join the lines of paragraphs that were broken for the way (RFC 3676)."""
    lines: list[str] = []
    depth_before, flows = "", False
    for line in text.splitlines():
        found = FLOWED_LINE.match(line)
        depth, content = (found[1], found[3]) if found else ("", line)
        if flows and depth == depth_before and content != SIGNATURE:
            lines[-1] += content
        else:
            lines.append(f"{depth} {content}" if depth else content)
        flows, depth_before = content.endswith(" ") and content != SIGNATURE, depth
        if flows and delsp:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def calendar(content: str) -> str:
    """Return what a calendar says of its events, a line for each property."""
    lines: list[str] = []
    inside = ["VCALENDAR"]
    for line in FOLDED.sub("", content).splitlines():
        if (found := PROPERTY.fullmatch(line)) is None:
            continue
        name, value = found.groups()
        label, part = CALENDAR.get(name.partition(";")[0].upper()), value.upper()
        if name.upper() == "BEGIN":
            inside.append(part)
            lines += [""] if part in EVENTS and lines else []
        elif name.upper() == "END" and inside[-1] == part:
            inside.pop()
        elif label and value and inside[-1] in EVENTS:
            lines.append(f"{label}: {_value(label, name, value)}")
    return "\n".join(lines)


def _value(label: str, name: str, value: str) -> str:
    if label in ("Start", "End", "Due") and (found := TIME.match(value)):
        year, month, day, hour, minute, utc = found.groups()
        zone = re.search(r'TZID="?([^";]+)', name)
        time = f" {hour}:{minute}" if hour else ""
        return f"{year}-{month}-{day}{time}{' UTC' if utc else ''}{f' ({zone[1]})' if zone else ''}"
    if label in ("Organizer", "Attendee"):
        person = re.search(r'CN="?([^";]+)', name)
        address = re.sub(r"(?i)^mailto:", "", value)
        return f"{person[1]} <{address}>" if person else address
    return ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)
