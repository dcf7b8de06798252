"""What every made file says, and the package that most formats are."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from xml.sax.saxutils import escape

DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


@dataclass(frozen=True)
class Content:
    title: str
    sentence: str
    table: list[list[str]]
    second: str

    @property
    def rows(self) -> list[str]:
        return [f"| {' | '.join(row)} |" for row in self.table]


ENGLISH = Content(
    "Storm lantern", "The lantern burns for 40 hours & more.", [["Part", "Price"], ["Wick", "$3"]], "Keep it dry."
)
KOREAN = Content("연차 규정", "근로자의 연차는 15일이다.", [["직급", "일수"], ["사원", "15일"]], "병가는 따로 정한다.")


def zipped(parts: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part, zipfile.ZIP_STORED if name == "mimetype" else None)
    return buffer.getvalue()


def halves(text: str) -> tuple[str, str]:
    """Editors cut a sentence into runs wherever its spelling was checked or its font changed, inside words too."""
    middle = len(text) // 2
    while " " in text[middle - 1 : middle + 1]:
        middle += 1
    return escape(text[:middle]), escape(text[middle:])
