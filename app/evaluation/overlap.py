"""How much of an answer is the gold answer, as the data sets' own scripts measure it. Pure.

English: token F1 of SQuAD's evaluate-v1.1.py (Rajpurkar et al., EMNLP 2016). Korean: character F1 of KorQuAD 1.0's
evaluate-korquad_v1.0.py (Lim, Kim and Lee, arXiv:1909.07005). Of several gold answers the best counts. Both were made
for answers of a few words: whole sentences, which Kyujang answers in, lower F1 however right they are. Containment says
whether a gold answer, normalised in the same way, stands in the answer.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
KORQUAD_SYMBOLS = re.compile(r"['\"《》<>〈〉()‘’]")
PUNCTUATION = str.maketrans("", "", string.punctuation)
MARKER = re.compile(r"\s?\[\d+\]")


def f1(answer: str, gold: Sequence[str], language: str) -> float:
    return max((_f1(_units(MARKER.sub("", answer), language), _units(each, language)) for each in gold), default=0.0)


def exact(answer: str, gold: Sequence[str], language: str) -> bool:
    units = _units(MARKER.sub("", answer), language)
    return any(units == _units(each, language) for each in gold)


def contains(answer: str, gold: Sequence[str], language: str) -> bool:
    units = _units(MARKER.sub("", answer), language)
    return any(_inside(_units(each, language), units) for each in gold)


def _units(text: str, language: str) -> list[str]:
    text = (KORQUAD_SYMBOLS.sub(" ", text) if language == "ko" else text).lower().translate(PUNCTUATION)
    if language == "ko":
        return list("".join(text.split()))
    return ARTICLES.sub(" ", text).split()


def _f1(answer: list[str], gold: list[str]) -> float:
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold)) if common else 0.0


def _inside(part: list[str], whole: list[str]) -> bool:
    return bool(part) and any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))
