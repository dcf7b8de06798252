"""Cut a question that asks two things into its parts. Pure."""

from __future__ import annotations

import re

# A question mark with more behind it, or a conjunction before a word that asks. Few blanks, so that it stays linear.
BETWEEN = re.compile(
    r"(?<=[?？])\s{1,4}(?:그리고|또한?|and|also)?[,\s]{0,4}(?=\S)"
    r"|,?\s{1,4}(?:and|or)\s{1,4}(?=(?:in |on |at |by |to |of )?(?:what|who|whom|whose|when|where|which|why|how)\b)",
    re.IGNORECASE,
)


def question_parts(question: str) -> list[str]:
    """Cut it in two at most, each with some words; a part that would be shorter than two words stays where it is."""
    found = [part.strip() for part in BETWEEN.split(question, maxsplit=1)]
    return found if len(found) == 2 and all(len(part.split()) > 1 for part in found) else [question]
