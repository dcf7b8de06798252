"""Tell by a question's words what its answer has: a number or a name that the question does not have itself. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER_ASKED = re.compile(
    r"\b(?:when|how (?:many|much|long|old|far|often|tall|big|large)|(?:what|which) (?:year|date|day|percentage))\b"
    r"|언제|얼마|며칠|몇|연도|년도|날짜",
    re.IGNORECASE,
)
NAME_ASKED = re.compile(r"\b(?:who|whom|whose|where)\b", re.IGNORECASE)
# Without "one", which is mostly a pronoun.
NUMBER = re.compile(
    r"[0-9]+(?:[.,][0-9]+)*|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty"
    r"|hundred|thousand|million|billion)\b",
    re.IGNORECASE,
)
# Every sentence begins with a capital letter.
NAME = re.compile(r"(?<=\w[ ,\"“‘(])[A-Z][^\W\d_]+")
KINDS = ((NUMBER_ASKED, NUMBER), (NAME_ASKED, NAME))


@dataclass(frozen=True, slots=True)
class Expected:
    """The patterns of what is asked for, and what the question itself has of it."""

    signs: tuple[re.Pattern[str], ...]
    asked: frozenset[str]

    def is_in(self, sentence: str) -> bool:
        return any(found not in self.asked for sign in self.signs for found in sign.findall(sentence))


def expected(question: str) -> Expected:
    signs = tuple(sign for asked, sign in KINDS if asked.search(question))
    return Expected(signs, frozenset(found for sign in signs for found in sign.findall(question)))
