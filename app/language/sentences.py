"""Split English and Korean text into sentences: prose, Markdown, the hard-wrapped lines of a PDF. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

LINE = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
WHOLE_LINE = re.compile(r"#{1,6}\s|\|")
# Without "다.": a Korean line is often broken before the last syllable of its verb.
LIST_ITEM = re.compile(
    r"(?:[-*+•·‣○●◦■□▪▶◆※–☞㉠-㉭]|\(?(?:\d{1,3}|[a-zA-Z가나라마바사아자차카타파하])[.)])\s"
    r"|[①-⑳]|제\s?\d{1,4}\s?[조장절관편항][\s(]"
)
CONTINUES_AFTER = (",", ";", "-", "–", "—", "·", "、", "(", "/")
# Particles, conjunctions and articles after which no sentence ends; `마을` and `가을` are nouns.
UNFINISHED = re.compile(
    r"(?<=\s)(?:[^\W\d_]{1,20}(?:은|는|(?<![마가노])을|를|에서|에게|으로|까지|부터|하고|하며|하여|면서|지만)"
    r"|및|또는|of|the|and|or|to|with|by|an|that|which|from|than|its|their)\Z"
)
LONGEST_END = 24
# A line this full, beside its neighbours, was broken by the page's width, not by its writer. Width counts UTF-8
# bytes, since Hangul is wide.
FULL_LINE = 0.7
NARROWEST_PAGE = 45
# More of a page's end, and of the next one's beginning, does not decide whether a sentence goes on.
MAX_PARAGRAPH = 1000

# The lengths are bounded so that no text makes the search slower than linear.
STOP = re.compile(r"[.?!…。｡．？！]+[\"'”’)\]）」』】》〉»*_`]{0,8}(?:\s?\[\d{1,4}(?:, ?\d{1,4}){0,8}\]){0,8}")
WIDE_STOPS = frozenset("。｡？！")
WORD = re.compile(r"[^\W_]")
OPENERS = "\"'“‘([（「『【《〈«*_`~"
MAX_TOKEN_LENGTH = 24

ACRONYM = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]|Ph\.D")
INITIAL = re.compile(r"[A-Z](?:-[A-Z])?")
NUMBER = re.compile(r"\d{1,4}")
ITEM_NUMBER = re.compile(
    r"\(?(?:\d{1,3}(?:\.\d{1,3}){0,4}|[A-Za-z]|[ivxIVX]{1,5}|[가나다라마바사아자차카타파하]|제\d{1,4}[조장절관편항](?:의\d{1,3})?)"
)
DATE_GOES_ON = re.compile(r"\s{1,3}\d{1,2}\.")
DATE_BEFORE = re.compile(r"\d{1,4}\.\s{0,3}\d{1,2}$")
QUOTATION_GOES_ON = re.compile(r"\s{1,3}(?:이?라[고는며면]|하[고며]|고\s|[a-z~∼〜–—)])")
COUNTED = re.compile(r"\s{1,3}(?:\d|[IVX]{2,5}\b)")

NEVER_ENDS = re.compile(
    r"mr|mrs|ms|mx|dr|prof|hon|rev|gen|gov|sen|rep|lt|col|sgt|capt|cmdr|adm|maj|st|mt|ft|messrs"
    r"|e\.g|i\.e|cf|viz|vs|v|approx|ca",
    re.IGNORECASE,
)
NUMBERS_FOLLOW = re.compile(
    r"nos?|nr|c|b|d|fl|vols?|figs?|eqs?|sec|ch|chap|arts?|pp?|para?|tab|app|ver|ed", re.IGNORECASE
)
MAY_END = re.compile(
    r"inc|ltd|co|corp|llc|plc|bros|etc|al|jr|sr|dept|est|univ|assn|ave|blvd|rd"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)
STARTER = re.compile(
    r"An?|The|This|That|These|Those|There|Then|Here|He|She|It|They|We|You|I|His|Her|Its|Their|Our|Your|My|In|On|At|As|By"
    r"|For|From|Of|To|With|When|While|Where|Who|What|Why|How|If|But|And|Or|So|However|Although|After|Before|During|Since"
    r"|Because|Both|Each|All|Some|Many|Most|Such|Not|No|Yes|Also|Thus|Therefore|Today|Now|One|Two|Once|Later|Until|Under"
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return (start, stop) of each sentence in code points: in order, trimmed, not empty, not overlapping, complete.

    A heading and a table row are one sentence each; a list item or a paragraph begins and ends one.
    """
    return [
        sentence
        for start, stop, whole in _blocks(text)
        for sentence in ([(start, stop)] if whole else _sentences(text, start, stop))
    ]


def goes_on(page: str, following: str) -> bool:
    """Tell whether the last sentence of a page goes on at the top of the following one."""
    last = page[-MAX_PARAGRAPH:].rpartition("\n\n")[2]
    first = following[:MAX_PARAGRAPH].partition("\n\n")[0]
    return any(start < len(last) < stop for start, stop in split_sentences(f"{last}\n{first}"))


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Join lines that the page's width broke; say of each block whether it is one sentence by its form."""
    paragraph: list[tuple[int, int]] = []
    before = 0
    for line in LINE.finditer(text):
        start, stop = _trim(text, line.start(), line.end())
        if paragraph and (start == stop or text[before : line.start()].replace("\r\n", "\n")[1:]):
            yield from _unwrapped(text, paragraph)
            paragraph = []
        if start < stop:
            paragraph.append((start, stop))
        before = line.end()
    yield from _unwrapped(text, paragraph)


def _unwrapped(text: str, lines: list[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    if not lines:
        return
    widths = [len(text[start:stop].encode("utf-8", "surrogatepass")) for start, stop in lines]
    begin, whole = lines[0][0], _is_whole(text, *lines[0])
    for number, ((_, end), following) in enumerate(pairwise(lines)):
        alone = _is_whole(text, *following)
        page = max(NARROWEST_PAGE, FULL_LINE * max(widths[max(0, number - 2) : number + 3]))
        goes_on = widths[number] >= page or text[following[0]].islower() or text[end - 1] in CONTINUES_AFTER
        goes_on = goes_on or UNFINISHED.search(text, max(lines[number][0], end - LONGEST_END), end) is not None
        if whole or alone or not goes_on or LIST_ITEM.match(text, *following):
            yield begin, end, whole
            begin, whole = following[0], alone
    yield begin, lines[-1][1], whole


def _is_whole(text: str, start: int, stop: int) -> bool:
    return bool(WHOLE_LINE.match(text, start, stop)) or text.find("\t", start, stop) >= 0


def _sentences(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    begin = before = start
    worded = False
    for mark in STOP.finditer(text, start, stop):
        worded = worded or WORD.search(text, before, mark.start()) is not None
        before = mark.end()
        if worded and before < stop and _ends(text, begin, mark, stop):
            yield begin, before
            begin, worded = before, False
            while text[begin].isspace():  # the block is trimmed: something comes
                begin += 1
    yield begin, stop


def _ends(text: str, begin: int, mark: re.Match[str], stop: int) -> bool:
    end = mark.end()
    if not text[end].isspace():
        return mark[0][0] in WIDE_STOPS or _runs_together(text, mark)
    if QUOTATION_GOES_ON.match(text, end, stop) and len(mark[0]) > 1:
        return False
    if mark[0][0] != "." or mark[0][:2] == "..":
        return not QUOTATION_GOES_ON.match(text, end, stop)
    return _period_ends(text, begin, mark.start(), end, stop)


def _runs_together(text: str, mark: re.Match[str]) -> bool:
    """Recognise Korean without the space: `했다.그리고`."""
    return mark[0] == "." and text[mark.start() - 1] in "다요까죠" and "가" <= text[mark.end()] <= "힣"


def _period_ends(text: str, begin: int, dot: int, end: int, stop: int) -> bool:
    token = _token_before(text, begin, dot)
    at_start = dot - begin == len(token)
    if at_start and ITEM_NUMBER.fullmatch(token):
        return False
    if NUMBER.fullmatch(token):
        dated = DATE_GOES_ON.match(text, end, stop) or DATE_BEFORE.search(text, max(begin, dot - 12), dot)
        return not dated
    if NEVER_ENDS.fullmatch(token):
        return False
    if NUMBERS_FOLLOW.fullmatch(token) and COUNTED.match(text, end, stop):
        return False
    if MAY_END.fullmatch(token) or ACRONYM.fullmatch(token) or INITIAL.fullmatch(token):
        return STARTER.fullmatch(_next_word(text, end, stop)) is not None
    return True


def _token_before(text: str, begin: int, dot: int) -> str:
    window = text[max(begin, dot - MAX_TOKEN_LENGTH) : dot]
    words = window.split()
    return words[-1].lstrip(OPENERS) if words and not window[-1].isspace() else ""


def _next_word(text: str, end: int, stop: int) -> str:
    words = text[end : min(stop, end + MAX_TOKEN_LENGTH)].split(maxsplit=1)
    return words[0].strip(OPENERS + ",.:;") if words else ""


def _trim(text: str, start: int, stop: int) -> tuple[int, int]:
    piece = text[start:stop]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, start + len(piece.strip()))
