"""Recognise an answer that only affirms or denies: "Yes.", "It is not.", "아니요.", "할 수 있습니다." Pure.

Each word stands for what it does, and their order decides: "It is." affirms, "It was they." says something of its own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 100
EDGES = " \t\"'“”‘’*_`.!,。…()-–—"
WORD = re.compile(r"of\s+course|[^\W_]+(?:'[^\W_]+)?")
# A question, the beginning of a list, or an address.
MORE = re.compile(r"[/@?\\<>\[\]{}|=+&#%$^]|\.\w|:\Z")

YES, NO, RIGHT, WRONG, CAN, CANNOT, POSSIBLE, IMPOSSIBLE, SUBJECT, VERB, NOT, SO, FILLER = "YNRWCDPISVXAF"
BARE = re.compile(r"[YNRWCDPIXAF]*(?:[SAF]+V[VXAFYNRWCDPI]*)?")
SAYS = re.compile(r"[YNRWCDPIX]|S[AF]*V")
WHOLE = re.compile(r"[YNRWCD]")
AGREES = re.compile(r"[RWA]")
STATES = re.compile(r"[CDPIX]|S[AF]*V")
PREDICATE = re.compile(r"[RWCDPIX]|S[AF]*V|V[AF]*N")

SUBJECTS = "it they he she you we i that this there those these"
VERBS = "is are was were am do does did can could may might will would shall should have has had must need"
WORDS = {
    FILLER: "a an the final short answer response conclusion so be been being done also too as well then both all at "
    "and really very much here 수 수는 수도 할 하실 될 되실 그럴 하지 하지는 하시지 되지 가능하지 해도 하셔도 되어도 "
    "하면 하시면 해야 하셔야 그건 그것은 그게 이건 이것은 이는 모두 다 물론 "
    "답 답은 답변 답변은 정답 정답은 결론 결론은",
    YES: "yes yeah yep yup sure certainly indeed absolutely definitely "
    "네 예 응 넵 물론입니다 물론이죠 네입니다 예입니다",
    NO: "no nope nah 아니요 아니오 아뇨 아닙니다 아니에요 아니다 아님 아니죠 아니요입니다 아니오입니다",
    RIGHT: "correct right true 그렇습니다 그래요 맞습니다 맞아요",
    WRONG: "incorrect wrong false",
    CAN: "가능합니다 가능해요 됩니다 돼요",
    CANNOT: "불가능합니다 불가능해요 안됩니다 안돼요",
    POSSIBLE: "possible 가능 가능하다 가능함 된다 됨 되죠",
    IMPOSSIBLE: "impossible untrue 불가 불가합니다 불가하다 불가함 불가능 불가능하다 불가능함 안된다",
    SO: "case 그렇지",
    SUBJECT: SUBJECTS,
    VERB: VERBS,
    NOT: "not never none 안 못",
    # A Korean verb has its subject within.
    SUBJECT + VERB: "합니다 해요 한다 함",
    SUBJECT + VERB + NOT: "못합니다 못해요 못한다 못함",
    VERB + NOT: "cannot can't won't shan't " + " ".join(f"{verb}n't" for verb in VERBS.split()),
}
PARTS = {word: parts for parts, words in WORDS.items() for word in words.split()}
PARTS |= {"of course": YES}
PARTS |= {
    f"{subject}'{verb}": SUBJECT + VERB for subject in SUBJECTS.split() for verb in ("s", "re", "m", "ll", "d", "ve")
}
PARTS |= {
    f"{verb}{ending}": parts
    for verb, parts in (("있", SUBJECT + VERB), ("없", SUBJECT + VERB + NOT), ("않", SUBJECT + VERB + NOT))
    for ending in ("습니다", "어요", "아요", "다", "음", "죠", "지요", "네요")
}


@dataclass(frozen=True, slots=True)
class BareAnswer:
    """What it answers."""

    affirmed: bool
    by_verb: bool
    """It says what is so, as "It is not." does, not whether the question is right."""
    whole: bool
    """It has a word for yes or no. Without, "It is." may be about the sentence before, or add nothing."""


def bare_answer(sentence: str) -> BareAnswer | None:
    """Return what it answers, None if it says something of its own."""
    if len(sentence) > LONGEST:
        return None
    text = unicodedata.normalize("NFKC", sentence).replace("’", "'").strip(EDGES).casefold()
    words = [" ".join(word.split()) for word in WORD.findall(text)]
    if MORE.search(text) or not all(word in PARTS for word in words):
        return None
    parts = "".join(PARTS[word] for word in words)
    if not BARE.fullmatch(parts) or not SAYS.search(parts):
        return None
    affirmed = _affirms(parts)
    return (
        None
        if affirmed is None
        else BareAnswer(
            affirmed, STATES.search(parts) is not None and not AGREES.search(parts), WHOLE.search(parts) is not None
        )
    )


def _affirms(parts: str) -> bool | None:
    """A verb decides, as in "No, it is." to a question that denies; None for "Yes and no."."""
    if PREDICATE.search(parts):
        return sum(map(parts.count, (WRONG, CANNOT, IMPOSSIBLE, NOT))) % 2 == 0 and NO not in parts.partition(VERB)[2]
    return None if YES in parts and NO in parts else YES in parts
