"""Cleans text before chunks are cut from it."""

from __future__ import annotations

import re
import unicodedata

from app.language.marks import cut_runs

LINE_ENDS = ("\r\n", "\r", "\v", "\f", "\u2028")
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufeff\ufffe\uffff]")


def clean_text(text: str) -> str:
    """Return NFC with line feeds alone, without characters that PostgreSQL or JSON cannot hold, and with runs of
    combining marks cut short."""
    for line_end in LINE_ENDS:
        text = text.replace(line_end, "\n")
    return unicodedata.normalize("NFC", cut_runs(UNWANTED.sub("", text.replace("\u2029", "\n\n"))))
