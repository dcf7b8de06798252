"""Knows the words of RTF: which stand for characters, and which begin groups that are not the document's text."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

CODE_PAGES = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
# The character set of fonts that draw no letters.
SYMBOLS = 2
CHARACTERS = {
    "tab": "\t", "line": "\n", "page": "\n", "column": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
SIGNS = {b"~": "\u00a0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\t": "\t"}
MARGINS = {"header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"}
# Groups whose text is read apart from the text around them.
LABELS = {"listtext", "pntext"}
APART = {"footnote", "annotation", "title", *LABELS, *MARGINS}
# Any other group that begins with `\*` is not text either.
UNREAD = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "fldinst", "listtable", "listoverridetable", "xe",
    "tc", "revtbl", "rsidtbl", "themedata", "datastore", "nonesttables", "nonshppict", "filetbl", "template", "sn",
    "sv", "atnid", "atnauthor", "atnref", "atndate", "bkmkstart", "bkmkend", "pnseclvl", "do",
}  # fmt: skip
READ_STARRED = {"annotation", "shppict", "shpinst", "pntext", "ud", "nesttableprops"}
# Groups inside of unread ones that are text after all: what an object or field shows.
PLAIN_BULLET = re.compile(r"[o•·◦▪●⁃\ufffd–—\-\ue000-\uf8ff]")
SHOWN = {"result", "fldrslt", "shptxt"}
PAGE_FIELD = re.compile(r"\s*(?:page|numpages|sectionpages)\b", re.IGNORECASE)


@dataclass(slots=True)
class Group:
    """`kind` is the last word that began a group of its own; `fallback` counts the signs for programs without
    Unicode."""

    kind: str = ""
    is_text: bool = True
    hidden: bool = False
    deleted: bool = False
    raised: bool = False
    font: int = -1
    fallback: int = 1


def code_page(number: int | None) -> str:
    try:
        return codecs.lookup(f"cp{number}").name
    except LookupError:
        return "cp1252"
