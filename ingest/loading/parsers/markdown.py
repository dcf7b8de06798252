"""Reads Markdown as it is written, without what is not for readers: comments, and pictures as data."""

from __future__ import annotations

import re
from itertools import islice, takewhile

from ingest.loading.parsed import Notice, Options, Parsed, without_pages
from ingest.loading.parsers.html_tokens import Start
from ingest.loading.parsers.markdown_html import with_tables
from ingest.loading.parsers.markdown_lines import MarkedLines
from ingest.loading.parsers.markdown_pictures import noted
from ingest.loading.parsers.markdown_tables import NO_ROW, RULE, columns, row
from ingest.loading.parsers.titles import FENCE, heading
from ingest.loading.picture_marks import picture_text, without_marks

MAX_FRONT_MATTER = 200
MAX_HEADING_LINES = 3
FRONT_MATTER = {"---": ("---", "..."), "+++": ("+++",)}
ENTRY = re.compile(r"""[\w.-]+\s*[:=]|["']?[^\W_][^:\n]{0,60}:(?:\s|$)|[-#\s\]}]|$""")
TITLE = re.compile(r"""["']?title["']?\s*[:=]\s*(?P<quote>["']?)(?P<title>.{1,300}?)(?P=quote)\s*$""", re.IGNORECASE)
OPENING = re.compile(r"`+|<!--")
COMMENT_LINE = re.compile(r"""\s{0,3}\[[^\]\n]{1,50}\]:\s*(?:#|<>)\s*+(?:\(.*\)|".*"|'.*')?\s*+""", re.DOTALL)
DEFINITION = re.compile(r"^ {0,3}\[([^\]\n]{1,200})\]:\s*<?data:", re.IGNORECASE | re.MULTILINE)
PICTURE = re.compile(
    r"""
    !?\[(?P<alt>[^\[\]\n]{0,500})\]
    (?:\(\s{0,9}<?(?P<data>data:[^()<>]*+)(?:>[^()\n]{0,300})?\)|\[(?P<label>[^\[\]\n]{0,200})\]|(?![\[(:]))
    """,
    re.IGNORECASE | re.VERBOSE,
)
DATA_MARK, PICTURE_MARK = re.compile(":(?<=data:)", re.IGNORECASE), re.compile(r"!\[|<img", re.IGNORECASE)
OPENED = re.compile("<!--")
DATA_TAG = re.compile(r"""<[a-z][a-z0-9]*\b(?:[^<>"']++|"[^"<>]*+"|'[^'<>]*+')*+>""", re.IGNORECASE)
DATA = re.compile(r"""(?:=\s*["']?|\burl\(["']?)\s*data:""", re.IGNORECASE)
BARE_DATA = re.compile(r"(?<![`\w])<?data:[a-z]{1,20}/[a-z0-9.+-]{1,60};base64,[a-z0-9+/=]{16,}>?", re.IGNORECASE)
HEADING_TAG = re.compile(r"\s*<h([1-6])\b[^<>]*>(.*)</h\1>\s*", re.IGNORECASE | re.DOTALL)
INDENTED_HEADING = re.compile(r"\A {1,3}(?=#{1,6}[ \t])")
FOLDED_TITLE = re.compile(r"^(title[ \t]*:)[ \t]*[>|][-+]?[ \t]*((?:\n[ \t]+.*)+)", re.IGNORECASE | re.MULTILINE)
# Marks around words, in a title.
LINK, TAG = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)"), re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
EMPHASIS, ESCAPED = re.compile(r"(\*{1,3}|__|~~|`+)(?=\S)(.+?)(?<=\S)\1"), re.compile(r"\\([!-/:-@\[-`{-~])")
UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*")
# What a line begins with that may be a definition, a rule or a fence.
FIRST_OF_MARKS = frozenset("[=-|:`~")
# A line of another kind is not the text of a heading.
OTHER = re.compile(r"\s*(?:$|[#>|]|[-*+][ \t]|\d+[.)][ \t]|[-*_=][-*_= ]*$)")


def read(content: str, options: Options) -> Parsed:
    front, body = _front_matter(content)
    cleaning = _Cleaning(body, options)
    text = with_tables(cleaning.text(), options)
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
    marked = content.lstrip("\ufeff")
    if marked[:3] not in FRONT_MATTER:
        return [], content
    lines = marked.split("\n", MAX_FRONT_MATTER)
    ends = FRONT_MATTER.get(lines[0].rstrip())
    for number, line in enumerate(lines[1:MAX_FRONT_MATTER], start=1):
        if ends and line.rstrip() in ends:
            front = "\n".join(each.rstrip("\r") for each in lines[1:number])
            unfolded = FOLDED_TITLE.sub(lambda found: f"{found[1]} {' '.join(found[2].split())}", front)
            return unfolded.split("\n"), "\n".join(lines[number + 1 :])
        if not ends or not ENTRY.match(line):
            break
    return [], content


class _Cleaning:
    """Goes through the lines that have a mark once: a comment may go on over several, a block of code is left as it is.

    `_lines` has what is shown, of which the last few lines are apart: a line of marks below them may change them.
    """

    def __init__(self, content: str, options: Options) -> None:
        self.pictures = 0
        self._options = options
        self._has_data = DATA_MARK.search(content) is not None
        self._data = {found[1].lower() for found in DEFINITION.finditer(content)} if self._has_data else set()
        opens = OPENED.search(content) is not None
        shows = bool(self._data) or options.picture_places
        others = ((OPENED, opens), (DATA_MARK, self._has_data), (PICTURE_MARK, shows))
        self._marked = MarkedLines(content, [pattern for pattern, is_there in others if is_there])
        self._last_end = self._marked.text.rfind("-->") if opens else -1
        self._lines: list[str] = []
        # The line in hand and where it begins and ends, and the end of the last one that is in `_lines`.
        self._line, self._start, self._end, self._done = "", 0, 0, 0
        self._code, self._in_comment = "", False
        self._columns = 0
        """Of the table whose rows the lines are; 0 if they are none."""

    def text(self) -> str:
        lines, end = self._marked, 0
        while end < lines.end:
            self._start = end if self._in_comment or self._columns else lines.next_from(end)
            self._end = end = lines.end_of(self._start)
            if self._start < end:
                self._line = lines.text[self._start + 1 : end]
                self._look()
            if self._code:
                self._code, end = "", lines.end_of_code(self._code, end)
        self._keep(lines.end)
        return "\n".join(self._lines)

    def _keep(self, end: int) -> None:
        """Keep the lines since the last one that changed as they are."""
        text, start, last = self._marked.text, self._done, end
        for _ in range(MAX_HEADING_LINES + 1):
            last = text.rfind("\n", start, last) if last > start else start
        if last > start:
            self._lines.append(text[start + 1 : last])
        if end > start:
            self._lines += text[last + 1 : end].split("\n")
        self._done = end

    def _put(self, *shown: str) -> None:
        """Put this in the line's place."""
        if shown != (self._line,) or "\n" in self._line:
            self._keep(self._start)
            self._lines += shown
            self._done = self._end

    def _look(self) -> None:
        line, was_comment = self._line, self._in_comment
        may_open = was_comment or "<!--" in line
        shown = self._without_comments(line) if may_open else line
        first = shown.lstrip()[:1]
        if first == "<":
            self._put_tag(shown)
        elif first not in FIRST_OF_MARKS and (first or not may_open):
            self._put_text(shown)
        elif DEFINITION.match(shown):
            self.pictures += 1
            self._put()
        elif COMMENT_LINE.fullmatch(shown) or (not shown.strip() and (was_comment or line.strip())):
            self._put()
        elif fence := FENCE.match(shown):
            self._code, self._columns = fence[1], 0
            self._put(shown)
        elif (mark := UNDERLINE.fullmatch(shown)) and (length := self._underlined(mark[1])):
            joined = " ".join(line.strip() for line in self._lines[-length:])
            self._lines[-length:] = [f"{'#' if mark[1][0] == '=' else '##'} {joined}"]
            self._done = self._end
        elif RULE.fullmatch(shown) and (header := self._header()):
            self._lines[-1:] = [row(header), row(shown)]
            self._done, self._columns = self._end, columns(row(shown))
        else:
            self._put_text(shown)

    def _put_tag(self, line: str) -> None:
        tag = HEADING_TAG.fullmatch(line)
        words = TAG.sub("", self._without_pictures(tag[2])).split() if tag else []
        if tag and words:
            self._put(f"{'#' * int(tag[1])} {' '.join(words)}")
        else:
            self._put_text(line)

    def _put_text(self, line: str) -> None:
        shown = self._without_pictures(line) if self._has_data else line
        shown = INDENTED_HEADING.sub("", shown, count=1) if shown[:1] == " " else shown
        self._columns = 0 if self._columns and NO_ROW.match(shown) else self._columns
        shown = row(shown, self._columns) if self._columns else shown
        has_pictures = self._options.picture_places and PICTURE_MARK.search(shown)
        self._put(noted(shown, self._options) if has_pictures else shown)

    def _header(self) -> str | None:
        """Return the line above, if it may be the header of a table."""
        self._keep(self._start)
        return self._lines[-1] if self._lines and not NO_ROW.match(self._lines[-1]) else None

    def _underlined(self, mark: str) -> int:
        """Return how many lines the paragraph above has, which a line of marks makes a heading: a rule follows two."""
        self._keep(self._start)
        lines = takewhile(lambda line: not OTHER.match(line), reversed(self._lines))
        length = sum(1 for _ in islice(lines, MAX_HEADING_LINES + 1))
        return length if length <= (MAX_HEADING_LINES if mark[0] == "=" else 1) else 0

    def _without_comments(self, line: str) -> str:
        at, shown = 0, ""
        if self._in_comment:
            if (end := line.find("-->")) < 0:
                return ""
            at, self._in_comment = end + 3, False
        while found := OPENING.search(line, at):
            mark, start = found[0], found.start()
            end = line.find("-->" if mark == "<!--" else mark, found.end())
            if mark == "<!--" and (end >= 0 or self._end < self._last_end):
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
        if not found["data"] and (found[0][0] != "!" or (found["label"] or found["alt"]).lower() not in self._data):
            return found[0]
        self.pictures += bool(found["data"])
        return picture_text(self._options, "", None, found["alt"], found["alt"])

    def _tag(self, found: re.Match[str]) -> str:
        if not DATA.search(found[0]):
            return found[0]
        self.pictures += 1
        alt = " ".join((Start("img", found[0]).attribute("alt") or "").split())
        return picture_text(self._options, "", None, alt, alt) if alt else ""
