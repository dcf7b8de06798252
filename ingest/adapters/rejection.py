"""Why an adapter is refused, in words for its owner."""

from __future__ import annotations

from typing import Literal

CheckName = Literal[
    "archive", "config", "method", "base_model", "rank", "weights", "shapes", "finite", "magnitude", "loaded", "differs"
]


class Rejected(Exception):
    """The adapter fails this check."""

    def __init__(self, check: CheckName, detail: str) -> None:
        super().__init__(detail)
        self.check: CheckName = check
        self.detail = detail
