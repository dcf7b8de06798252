"""Keeps what is raised apart from what it stands on: `10` and a raised `6` are 10^6, not 106."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

# A number, a closed parenthesis, a variable or a unit; a longer word has a note's number above it.
POWER_OF = re.compile(r"(?:[0-9)\]]|(?<![^\W\d_])[A-Za-zµΩα-ωΑ-Ω]{1,3}|[\u3380-\u33df])\Z")
EXPONENT = re.compile(r"[-+−–]?(?:[0-9]+(?:[.,/][0-9]+)?|[0-9]*[a-zα-ω])")
SUM = re.compile(r"[-+−–]?[0-9a-zα-ω]{1,6}(?:[-+−–*/·][0-9a-zα-ω]{1,6}){1,3}")

Run = tuple[str, bool]


def joined(runs: Iterable[Run]) -> str:
    """Join runs of text, each with whether it is raised."""
    text = ""
    for is_raised, group in groupby(runs, key=lambda run: run[1]):
        part = "".join(each for each, _ in group)
        text += _raised(text, part) if is_raised else part
    return text


def _raised(before: str, text: str) -> str:
    shown = text.strip()
    if not POWER_OF.search(before[-4:]):
        return text
    if EXPONENT.fullmatch(shown):
        return text.replace(shown, f"^{shown}")
    return text.replace(shown, f"^({shown})") if SUM.fullmatch(shown) else text
