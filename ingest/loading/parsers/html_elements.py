"""What HTML's elements are: which stand in a line, which end others, and which are not seen."""

from __future__ import annotations

import re

from ingest.loading.parsers.html_tokens import Start

VOID = {
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param",
    "source", "track", "wbr",
}  # fmt: skip
# `del` is text that was deleted and is still shown.
UNSEEN = {"template", "noscript", "svg", "canvas", "audio", "video", "del", "datalist", "rp"}
INLINE = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font", "i", "img", "input",
    "ins", "kbd", "label", "mark", "meter", "nobr", "output", "progress", "q", "rb", "rp", "rt", "ruby", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "br", "del",
}  # fmt: skip
HEADINGS = {f"h{level}": level for level in range(1, 7)}
LISTS = {"ul", "ol", "menu"}
GROUPS = {"thead", "tbody", "tfoot"}
ROWS = {"tr", "caption", *GROUPS}
CELLS = {"td", "th"}
# Elements whose end tag may be left out: what ends them, and what they are looked for in.
ENDED_BY = {
    "li": ({"li"}, LISTS), "dt": ({"dt", "dd"}, {"dl"}), "dd": ({"dt", "dd"}, {"dl"}),
    "option": ({"option"}, {"select"}), "optgroup": ({"option", "optgroup"}, {"select"}),
    **dict.fromkeys(CELLS, (CELLS, {"table"})), "tr": (CELLS | {"tr", "caption"}, {"table"}),
    **dict.fromkeys(GROUPS, (CELLS | ROWS, {"table"})),
}  # fmt: skip
# What stands around the text of an element.
QUOTES = {"rt": ("(", ")"), "q": ("“", "”")}
INVISIBLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
FORMULA = "mwe-math-mathml"
RAISED = re.compile(r"\bvertical-align\s*:\s*(?:super\b|[1-9])", re.IGNORECASE)


def is_raised(tag: Start) -> bool:
    return tag.name == "sup" or RAISED.search(tag.attributes) is not None


def is_hidden(tag: Start) -> bool:
    if not tag.attributes:
        return tag.name == "dialog"
    # Wikipedia shows a picture of the formula instead.
    if FORMULA in tag.attributes:
        return False
    if tag.name == "dialog" and tag.attribute("open") is None:
        return True
    return tag.attribute("hidden") is not None or INVISIBLE.search(tag.attribute("style") or "") is not None
