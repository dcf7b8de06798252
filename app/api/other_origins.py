"""Errors for what reaches a service without keys from elsewhere: a page of another origin, another name."""

from __future__ import annotations

from app.errors import Forbidden, KyujangError


class CrossOrigin(Forbidden):
    """Without keys this service answers no web page of another origin. Start it with KYUJANG_AUTH=on for that."""

    code = "cross_origin"


class Misdirected(KyujangError):
    """Without keys this service answers to localhost, 127.0.0.1, [::1] and KYUJANG_HOST alone."""

    status = 421
    code = "misdirected"
