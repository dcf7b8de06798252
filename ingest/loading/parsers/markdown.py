"""Reads Markdown as it is written, without what is not for readers: comments, and pictures as data."""

from __future__ import annotations

import re
from itertools import islice, takewhile

from ingest.loading.parsed import Notice, Options, Parsed, without_pages
from ingest.loading.parsers.markdown_pictures import noted
from ingest.loading.parsers.titles import FENCE, heading
from ingest.loading.picture_marks import picture_text, without_marks

MAX_FRONT_MATTER = 200
MAX_HEADING_LINES = 3
FRONT_MATTER = {"---": ("---", "..."), "+++": ("+++",)}
ENTRY = re.compile(r"[\w.-]+\s*[:=]|[-#\s]|$")
TITLE = re.compile(r"""title\s*[:=]\s*(?P<quote>["']?)(?P<title>.{1,300}?)(?P=quote)\s*$""", re.IGNORECASE)
OPENING = re.compile(r"`+|<!--")
COMMENT_LINE = re.compile(r"""\s{0,3}\[[^\]\n]{1,50}\]:\s*(?:#|<>)\s*+(?:\(.*\)|".*"|'.*')?\s*+""", re.DOTALL)
DEFINITION = re.compile(r"^ {0,3}\[([^\]\n]{1,200})\]:\s*<?data:", re.IGNORECASE | re.MULTILINE)
PICTURE = re.compile(
    r"""
    !?\[(?P<alt>[^\[\]\n]{0,500})\]
    (?:\(\s{0,9}<?(?P<data>data:[^()<>]*+)(?:>[^()\n]{0,300})?\)|\[(?P<label>[^\[\]\n]{1,200})\])
    """,
    re.IGNORECASE | re.VERBOSE,
)
DATA_TAG = re.compile(r"""<[a-z][a-z0-9]*\b(?:[^<>"']++|"[^"<>]*+"|'[^'<>]*+')*+>""", re.IGNORECASE)
DATA = re.compile(r"""(?:=\s*["']?|\burl\(["']?)\s*data:""", re.IGNORECASE)
BARE_DATA = re.compile(r"(?<![`\w])<?data:[a-z]{1,20}/[a-z0-9.+-]{1,60};base64,[a-z0-9+/=]{16,}>?", re.IGNORECASE)
# Data, tags, definitions and headings that may be written over several lines, and are then taken together.
# A pattern whose every branch begins with a certain character is looked for ten times as fast.
BASE64 = "[a-z0-9+/=]"
AT_START = "(?:" + "|".join(rf"(?<=^{'[ ]' * indent}\[)" for indent in range(4)) + ")"
WRAPPED = re.compile(
    rf"""
    <h[1-6]\b[^<>]*+>(?:[^<]|<(?!/?h[1-6]\b))*+</h[1-6]>
    | <[a-z][a-z0-9]*\b[^<>]*+>
    | ;base64,{BASE64}*+(?:\s*+{BASE64}{{16,}}+)*+(?:\s*+{BASE64}*+)(?=[)>"'])
    | \[{AT_START}[^\]\n]{{1,200}}\]:[ \t]*\r?\n[ \t]*<?data:
    | \[{AT_START}[^\]\n]{{1,50}}\]:[ \t]*(?:\#|<>)[ \t]*\([^()]*\)
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
HEADING_TAG = re.compile(r"\s*<h([1-6])\b[^<>]*>(.*)</h\1>\s*", re.IGNORECASE | re.DOTALL)
INDENTED_HEADING = re.compile(r"\A {1,3}(?=#{1,6}[ \t])")
FOLDED_TITLE = re.compile(r"^(title[ \t]*:)[ \t]*[>|][-+]?[ \t]*((?:\n[ \t]+.*)+)", re.IGNORECASE | re.MULTILINE)
# Marks around words, in a title.
LINK, TAG = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)"), re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
EMPHASIS, ESCAPED = re.compile(r"(\*{1,3}|__|~~|`+)(?=\S)(.+?)(?<=\S)\1"), re.compile(r"\\([!-/:-@\[-`{-~])")
UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*")
# The line below the header of a table, whose rows may do without pipes at their ends; and what ends it.
RULE = re.compile(r"\s*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)++\|?\s*")
NO_ROW = re.compile(r"[^|]*$|\s*(?:#{1,6}|>|[-*+]|\d+[.)])\s")
# What a line begins with that may be a definition, a tag, a rule or a fence.
FIRST_OF_MARKS = frozenset("[<=-|:`~")
# A line of another kind is not the text of a heading.
OTHER = re.compile(r"\s*(?:$|[#>|]|[-*+][ \t]|\d+[.)][ \t]|[-*_=][-*_= ]*$)")


def read(content: str, options: Options) -> Parsed:
    front, body = _front_matter(content)
    cleaning = _Cleaning(body, options)
    text = cleaning.text()
    title = next((found["title"].strip() for line in front if (found := TITLE.match(line))), None)
    kept = [line for line in front if line.strip() and not TITLE.match(line)]
    text = "\n\n".join(["\n".join(kept), text]) if kept else text
    return Parsed(
        title or _shown(without_marks(heading(text) or "")),
        without_pages(None, text).pages,
        _notices(cleaning.pictures),
    )


def _shown(title: str | None) -> str | None:
    """Return a title without the marks of links, emphasis and code."""
    plain = EMPHASIS.sub(r"\2", TAG.sub("", LINK.sub(r"\1", title or "")))
    return ESCAPED.sub(r"\1", plain) or None


def _notices(pictures: int) -> list[Notice]:
    if not pictures:
        return []
    return [Notice("picture_without_text", f"Pictures that stand in the text as data, not read: {pictures:,}.")]


def _front_matter(content: str) -> tuple[list[str], str]:
    """Return the lines of the front matter without the marks around them, and what follows."""
    lines = content.lstrip("\ufeff").split("\n", MAX_FRONT_MATTER)
    ends = FRONT_MATTER.get(lines[0].rstrip())
    for number, line in enumerate(lines[1:MAX_FRONT_MATTER], start=1):
        if ends and line.rstrip() in ends:
            front = "\n".join(each.rstrip("\r") for each in lines[1:number])
            unfolded = FOLDED_TITLE.sub(lambda found: f"{found[1]} {' '.join(found[2].split())}", front)
            return unfolded.split("\n"), "\n".join(lines[number + 1 :])
        if not ends or not ENTRY.match(line):
            break
    return [], content


def _row(line: str) -> str:
    """Return the row of a table with the pipes at its ends."""
    row = line.strip()
    return line if row.startswith("|") and row.endswith("|") else f"| {row.strip('|').strip()} |"


def _wrapped_lines(content: str) -> set[int]:
    """Return the lines that end inside of something that goes on in the next."""
    found: set[int] = set()
    line = at = 0
    for each in WRAPPED.finditer(content):
        line += content.count("\n", at, each.start())
        lines = each[0].count("\n")
        found.update(range(line, line + lines))
        line, at = line + lines, each.end()
    return found


class _Cleaning:
    """Goes through the lines once: a comment may go on over several, a block of code is left as it is."""

    def __init__(self, content: str, options: Options) -> None:
        self.pictures = 0
        self._options = options
        self._in_lines = content.split("\n")
        self._has_data = "data:" in content.lower()
        self._data = {found[1].lower() for found in DEFINITION.finditer(content)} if self._has_data else set()
        self._goes_on = _wrapped_lines(content)
        ends = (number for number, line in enumerate(reversed(self._in_lines)) if "-->" in line)
        self._last_end = len(self._in_lines) - 1 - next(ends, len(self._in_lines))
        self._lines: list[str] = []
        self._code = ""
        self._in_comment = self._in_table = False

    def text(self) -> str:
        parts: list[str] = []
        for number, line in enumerate(self._in_lines):
            if self._code:
                self._code = "" if line.strip() == self._code else self._code
                self._lines.append(line)
                continue
            parts.append(line)
            if number not in self._goes_on:
                self._add("\n".join(parts), number)
                parts = []
        return "\n".join(self._lines)

    def _add(self, line: str, number: int) -> None:
        was_comment = self._in_comment
        may_open = was_comment or "`" in line or "<!--" in line
        shown = self._without_comments(line, number) if may_open else line
        first = shown.lstrip()[:1]
        if first not in FIRST_OF_MARKS and (first or not may_open):
            self._add_text(shown)
        elif DEFINITION.match(shown):
            self.pictures += 1
        elif COMMENT_LINE.fullmatch(shown) or (not shown.strip() and (was_comment or line.strip())):
            pass
        elif fence := FENCE.match(shown):
            self._code, self._in_table = fence[1], False
            self._lines.append(shown)
        elif (mark := UNDERLINE.fullmatch(shown)) and (length := self._underlined(mark[1])):
            joined = " ".join(line.strip() for line in self._lines[-length:])
            self._lines[-length:] = [f"{'#' if mark[1][0] == '=' else '##'} {joined}"]
        elif (tag := HEADING_TAG.fullmatch(shown)) and (words := TAG.sub("", self._without_pictures(tag[2])).split()):
            self._lines.append(f"{'#' * int(tag[1])} {' '.join(words)}")
        elif RULE.fullmatch(shown) and self._lines and not NO_ROW.match(self._lines[-1]):
            self._lines[-1:] = [_row(self._lines[-1]), _row(shown)]
            self._in_table = True
        else:
            self._add_text(shown)

    def _add_text(self, line: str) -> None:
        shown = self._without_pictures(line) if self._has_data else line
        shown = INDENTED_HEADING.sub("", shown, count=1) if shown[:1] == " " else shown
        self._in_table = self._in_table and not NO_ROW.match(shown)
        shown = _row(shown) if self._in_table else shown
        has_pictures = self._options.picture_places and ("![" in shown or "<img" in shown.lower())
        self._lines.append(noted(shown, self._options) if has_pictures else shown)

    def _underlined(self, mark: str) -> int:
        """Return how many lines the paragraph above has, which a line of marks makes a heading: a rule follows two."""
        lines = takewhile(lambda line: not OTHER.match(line), reversed(self._lines))
        length = sum(1 for _ in islice(lines, MAX_HEADING_LINES + 1))
        return length if length <= (MAX_HEADING_LINES if mark[0] == "=" else 1) else 0

    def _without_comments(self, line: str, number: int) -> str:
        at, shown = 0, ""
        if self._in_comment:
            if (end := line.find("-->")) < 0:
                return ""
            at, self._in_comment = end + 3, False
        while found := OPENING.search(line, at):
            mark, start = found[0], found.start()
            end = line.find("-->" if mark == "<!--" else mark, found.end())
            if mark == "<!--" and (end >= 0 or number < self._last_end):
                shown += line[at:start]
                self._in_comment = end < 0
                at = len(line) if end < 0 else end + 3
            elif mark == "<!--":
                break
            else:
                # Code in the line, or a mark that nothing closes.
                stop = found.end() if end < 0 else end + len(mark)
                shown += line[at:stop]
                at = stop
        return shown + line[at:]

    def _without_pictures(self, line: str) -> str:
        if "[" in line or "<" in line:
            line = DATA_TAG.sub(self._tag, PICTURE.sub(self._picture, line))
        line, bare = BARE_DATA.subn("", line) if "base64" in line else (line, 0)
        self.pictures += bare
        return line

    def _picture(self, found: re.Match[str]) -> str:
        """Return what describes the picture instead of its data."""
        if not found["data"] and (found[0][0] != "!" or (found["label"] or "").lower() not in self._data):
            return found[0]
        self.pictures += bool(found["data"])
        return picture_text(self._options, "", None, found["alt"], found["alt"])

    def _tag(self, found: re.Match[str]) -> str:
        if not DATA.search(found[0]):
            return found[0]
        self.pictures += 1
        return ""
