"""Arguments that the benches share."""

from __future__ import annotations

import argparse
from collections.abc import Collection


def known_names(text: str, known: Collection[str]) -> list[str]:
    """Return the names between commas. Raises argparse.ArgumentTypeError for one that is not known."""
    names = text.split(",")
    if unknown := set(names) - set(known):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: there is {', '.join(known)}")
    return names
