"""What a page makes a browser load."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Attributes that make a browser load what they name. Of a <link>, those that only point somewhere are left out.
LOADING = {"src", "srcset", "poster", "data", "background"}
POINTERS = {"alternate", "canonical", "next", "prev"}
# Classes for which the theme's script loads a library from another host.
FETCHING_CLASSES = {"mermaid", "glightbox", "pyodide", "md-source"}
ELSEWHERE = re.compile(r"\s*(\w+:)?//")
IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""")


class Loads(HTMLParser):
    """Collects what a page loads, and what would make its scripts load more."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.links: list[str] = []
        self.classes: set[str] = set()
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        self.classes.update(given.get("class", "").split())
        self.urls += [given[name] for name in LOADING & given.keys()]
        self.urls += IN_STYLES.findall(given.get("style", ""))
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "link" and given.get("rel") not in POINTERS:
            self.urls.append(given["href"])

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.urls += IN_STYLES.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
