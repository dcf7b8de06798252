"""Why a page is not shown."""

from __future__ import annotations


class NoSuchPage(Exception):
    """The file has fewer pages."""


class Unshown(Exception):
    """The page cannot be drawn. Its words are for people."""
