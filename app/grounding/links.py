"""Find what an answer would make a reader's browser fetch, run or open, as Markdown and as HTML. Pure.

Markdown is read by markdown-it-py (CommonMark), HTML by the standard library's parser, which tolerates what browsers
do; so spaces, entities, backslashes and unclosed tags make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.language.marks import cut_runs

# Attributes whose value is fetched, run or opened, and elements whose content is.
ACTIVE_ATTRIBUTES = frozenset(
    [
        "src",
        "srcset",
        "srcdoc",
        "xlink:href",
        "data",
        "action",
        "formaction",
        "poster",
        "background",
        "style",
        "ping",
        "manifest",
        "lowsrc",
        "dynsrc",
        "longdesc",
        "http-equiv",
        "content",
        "cite",
        "classid",
        "codebase",
        "archive",
    ]
)
ACTIVE_ELEMENTS = frozenset({"script", "style"})
OPENED_ON_CLICK = frozenset({"a", "area"})
OPENED = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}:", re.IGNORECASE)
IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f]")

# What clients make a link of where it stands bare: with a scheme, `www.` or `//`, a domain or an IPv4 address with a
# path or a port, an e-mail address. `1.2.3.4` and `1.2.3.4/1.2.3.5` are versions; `&#58;` ends a scheme.
REST = r"[^\s<>\"'()\[\]{}`|\\^]"
DOMAIN = r"(?:[\w-]{1,63}\.){1,8}(?:[a-z]{2,24}|xn--[a-z\d-]{1,59}|한국|닷컴|닷넷)"
IPV4 = r"(?:\d{1,3}\.){3}\d{1,3}"
PORT = r":\d{2,5}(?![\da-z_:])"
BARE_ADDRESS = re.compile(
    rf"(?:\b[a-z][a-z0-9+.-]{{1,20}}:/{{2}}\[?|\b(?:https?|ftp|file|wss?|data|javascript|vbscript|tel|sms|mailto|blob):\[?"
    rf"|(?<=[(\"'=<])//|\bwww\.){REST}+"
    rf"|(?<![\w:/.])(?<!&#58;)//(?:{DOMAIN}|{IPV4})(?:{PORT})?(?:[/?#]{REST}*|(?![\da-z_(]))"
    rf"|(?<![\w.@/-])(?:{DOMAIN}|{IPV4}(?!/{IPV4}(?![\w./-])))(?:(?:{PORT})?[/?#]{REST}*|{PORT})"
    rf"|(?<![\w.+@-])[\w.+-]{{1,64}}@{DOMAIN}",
    re.IGNORECASE,
)
TRAILING = ".,;:!?*_~…。"


@dataclass(frozen=True, slots=True)
class Links:
    """What a text leads to."""

    fetches: bool
    """Showing it fetches or runs something that is not in the document's own folder, or a click would run it."""
    cut: bool
    """It holds a part of a link or an image alone."""
    addresses: frozenset[str]

    def lead_beyond(self, source: str) -> bool:
        """Tell whether it fetches, or has an address that the source has not: a model can be told to put data there."""
        if self.fetches:
            return True
        known = unicodedata.normalize("NFKC", cut_runs(source)) if self.addresses else ""
        return any(address not in source and address not in known for address in self.addresses)


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Keep `javascript:` a link, since other renderers do."""
        return True

    def normalizeLink(self, url: str) -> str:
        """Keep the address as the document has it."""
        return url


MARKDOWN = _Markdown("commonmark")


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetches = False
        self.addresses = set[str]()
        try:
            # The page after the answer closes a tag that the answer leaves open.
            self.feed(f"{text}>")
        except AssertionError:
            # Raised for a marked section that is none: `<![foo[`.
            self.fetches = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        opened = given.pop("href", None)
        if opened is not None:
            self.addresses.add(opened)
            self.fetches |= tag not in OPENED_ON_CLICK
        runs = any(name.startswith("on") for name in given)
        self.fetches |= tag in ACTIVE_ELEMENTS or runs or not ACTIVE_ATTRIBUTES.isdisjoint(given)


def find_links(text: str) -> Links:
    """Read a text of at most some thousand characters, as one sentence or one answer is."""
    text = unicodedata.normalize("NFKC", cut_runs(text))
    tags = _Tags(text)
    images, links, shown = list[str](), list[str](), list[str]()
    for token in _inline(MARKDOWN.parse(text)):
        if token.type == "image":
            images.append(str(token.attrs["src"]))
        elif token.type == "link_open":
            links.append(str(token.attrs["href"]))
        else:
            shown.append(token.content)
    visible = "".join(shown)
    bare = {found[0].rstrip(TRAILING) for each in (text, visible) for found in BARE_ADDRESS.finditer(each)}
    cut = text.count("](") > len(images) + len(links) or text.count("![") > len(images)
    links += tags.addresses
    fetches = tags.fetches or any(map(_is_elsewhere, images)) or any(map(_runs, links))
    return Links(fetches, cut, frozenset(bare | {link for link in links if _is_elsewhere(link)}))


def _inline(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.children is None:
            yield token
        else:
            yield from _inline(token.children)
        if token.type == "image":
            yield token


def _is_elsewhere(url: str) -> bool:
    """Tell whether it is other than a relative path: browsers skip controls, and read `\\` as `/`."""
    url = IGNORED_IN_URLS.sub("", url)
    return url.startswith(("/", "\\")) or SCHEME.match(url) is not None


def _runs(url: str) -> bool:
    """Tell whether it has a scheme that does more than open a page or a letter."""
    url = IGNORED_IN_URLS.sub("", url)
    return SCHEME.match(url) is not None and not OPENED.match(url)
