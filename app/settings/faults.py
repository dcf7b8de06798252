"""What pydantic refuses in the environment, in the words of those who set it."""

from __future__ import annotations

from pydantic import ValidationError


def faults(error: ValidationError) -> list[str]:
    """Return a line for each setting that cannot be used. None repeats a value, which may be a secret."""
    return [f"{_variable(each['loc'])}: {each['msg']} (docs/reference/settings.md)." for each in error.errors()]


def _variable(place: tuple[int | str, ...]) -> str:
    name = str(place[0])
    # An alias is the variable's whole name.
    return name if name.isupper() else f"KYUJANG_{name.upper()}"
