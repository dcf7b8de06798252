"""Recognise an answer that only affirms or denies: "Yes.", "아니요." Pure."""

from __future__ import annotations

import re

SUBJECT = r"(?:it|they|he|she|you|we|i|that|this|there|those|these)"
VERB = r"(?:is|are|was|were|am|do|does|did|can|could|may|might|will|would|have|has|had|should|must)"
SO = r"(?:,?\s(?:so|correct|right|true|possible|indeed))?"
YES = re.compile(
    rf"(?:yes|yeah|yep|correct|right|true|sure|certainly|indeed|absolutely|of\scourse)(?:,?\s{SUBJECT}['’\s]{{1,2}}(?:s|re|{VERB}){SO})?"
    r"|(?:네|예|응|그렇습니다|그래요|맞습니다|맞아요|물론입니다|물론이죠|가능합니다|가능해요|됩니다|돼요)"
    r"(?:[,.]?\s(?:그렇습니다|그래요|맞습니다|맞아요|가능합니다|가능해요|됩니다|돼요|있습니다|있어요|할\s수\s있습니다))?",
    re.IGNORECASE,
)
NO = re.compile(
    rf"(?:no|nope|incorrect|wrong|false)(?:,?\s{SUBJECT}['’\s]{{1,2}}(?:s\snot|re\snot|cannot|{VERB}(?:n['’]t|\snot)){SO})?"
    r"|(?:아니요|아니오|아뇨|아닙니다|아니에요|불가능합니다|불가능해요|안\s?됩니다|안\s?돼요)"
    r"(?:[,.]?\s(?:아닙니다|아니에요|그렇지\s않습니다|불가능합니다|불가능해요|안\s?됩니다|안\s?돼요|없습니다|없어요|할\s수\s없습니다))?",
    re.IGNORECASE,
)
EDGES = " \t\"'“”‘’*_`.!,。"


def affirms(sentence: str) -> bool | None:
    """Return whether it says yes or no, None if it says something of its own."""
    text = sentence.strip(EDGES)
    return True if YES.fullmatch(text) else False if NO.fullmatch(text) else None
