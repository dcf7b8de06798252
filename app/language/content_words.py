"""Extract the words that carry a text's content, comparable across inflections: English and Korean. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from app.language.hangul import SYLLABLES
from app.language.marks import cut_runs
from app.language.numbers import plain_numbers

# One content word, as terms: a stem, a number ("#30"), or the overlapping syllable pairs of a Korean word.
Word = tuple[str, ...]

HAN = "\u3040-\u30ff\u3400-\u9fff"
TOKEN = re.compile(
    rf"(?P<number>[0-9]+(?:[.,][0-9]+)*)"
    rf"|(?P<hangul>[{SYLLABLES}]+)|(?P<han>[{HAN}]+)|(?P<latin>[^\W\d_{SYLLABLES}{HAN}]+(?:['’][^\W\d_{SYLLABLES}{HAN}]+)*)"
)

ENGLISH_FUNCTION_WORDS = (
    r"an?|the|this|that|these|those|there|here|i|you|he|she|it|we|they|me|him|her|us|them|my|your|his|its|our|their|"
    r"am|is|are|was|were|be|been|being|do|does|did|done|has|have|had|having|will|would|shall|should|can|could|may|"
    r"might|must|of|in|on|at|by|for|from|to|with|into|onto|as|about|than|then|and|or|but|if|so|not|no|nor|yes|also|"
    r"such|some|any|one|ones|only|just|very|what|which|who|whom|whose|when|where|why|how|many|much|however|therefore|"
    r"additionally|st|nd|rd|th|s|t|don't|doesn't|didn't|isn't|aren't|wasn't|weren't|can't|cannot|won't|it's|that's|i'm"
)
KOREAN_FUNCTION_WORDS = (
    r"[그이저것수등및중때더또각제안못네예]|있|없|않|아니|그것|이것|이는|그는|여기|거기|무엇|무슨|누구|누가|언제|어디|어느|어떤|어떻게|왜|"
    r"몇|얼마|또는|그리고|하지만|그러나|따라서|또한|대하|대한|대해|위하|위한|위해|따르|따라|때문|관하|관한|관해|경우|통하|통해|뭐|"
    r"뭔|것은|하|되|한|할|된|될|하는|되는|있는|없는|않는|있다|없다|한다|된다|이다|했다|됐다|하였다|되었다"
)
# Words about the prompt and its answer carry nothing there, nor does a unit that a table has in its head.
ENGLISH_STOP = re.compile(
    ENGLISH_FUNCTION_WORDS + r"|name[ds]?|called|according|context|sources?|answer|question|documents?|percent"
)
KOREAN_STOP = re.compile(KOREAN_FUNCTION_WORDS + r"|출처|문서|답변|질문")
# Longest first. What remains of a word must have as many syllables as the last number says.
KOREAN_ENDINGS = tuple(
    (re.compile(rf"(?:{endings})$"), rest)
    for endings, rest in (
        (r"(?:(?:하|되|이)?[였었]|[했됐았])(?:습니다|으며|으나|던|고|다|음|지)", 1),
        (r"하였습니까|했습니까|입니까|합니까|됩니까|습니까|이었나|였나|했나|인가요?|하나요|되나요|나요|는가|은가", 1),
        (r"(?:입|합|됩|습|십)니다|이에요|예요|에서는|에게서|으로부터|로부터|으로써|으로서|이라는|이라고", 1),
        (r"에서|에게|에는|에도|까지|부터|으로|이나|라는|라고|처럼|보다|마다|밖에|조차|이며|이고|이란|하여|해서|하며|하고|하는|하면|"
         r"하기|하지|한다|된다|되는|되며|되고|되어|되지|이다|들의|들은|들이|들을|인데", 1),
        (r"[은는이가을를의에도로와과만란며고지]", 2),
    )
)  # fmt: skip


def content_words(text: str) -> Iterator[Word]:
    """Yield content words. Case, accents, inflection, particles and the writing of numbers do not matter."""
    return _words(plain_numbers(unicodedata.normalize("NFC", cut_runs(text))))


def terms_of(text: str) -> frozenset[str]:
    """Return the terms of all content words, those of a telephone number's parts included."""
    normal = plain_numbers(unicodedata.normalize("NFC", cut_runs(text)), with_parts=True)
    return frozenset(term for word in _words(normal) for term in word)


def _words(normal: str) -> Iterator[Word]:
    for token in TOKEN.finditer(normal):
        if digits := token["number"]:
            for number in _numbers(digits):
                yield (f"#{number}",)
        elif hangul := token["hangul"]:
            glued = token.start() > 0 and normal[token.start() - 1].isascii() and normal[token.start() - 1].isalnum()
            if word := korean_terms(hangul, KOREAN_STOP, glued=glued):
                yield word
        elif latin := token["latin"]:
            if stem := _english(latin):
                yield (stem,)
        else:
            yield pairs(token["han"])


def precision(words: Sequence[Word], terms: frozenset[str]) -> float:
    """Return the share of the words that the terms hold; a Korean word counts by the share of its syllable pairs."""
    return sum(sum(term in terms for term in word) / len(word) for word in words) / len(words)


def _numbers(digits: str) -> Iterator[str]:
    parts = [digits] if digits.count(".") == 1 and "," not in digits else re.split("[.,]", digits)
    for part in parts:
        yield (part.rstrip("0").rstrip(".") if "." in part else part).lstrip("0") or "0"


@lru_cache(maxsize=4096)
def _english(word: str) -> str | None:
    word = "".join(
        letter for letter in unicodedata.normalize("NFD", word.replace("’", "'")) if letter.isalpha() or letter == "'"
    )
    word = word.casefold()
    if ENGLISH_STOP.fullmatch(word):
        return None
    word = word.removesuffix("'s").replace("'", "")
    return stem(word)


def stem(word: str) -> str:
    """Cut plural and verb endings, so that included, including and includes meet.

    Snowball's stems, which the analyzer takes, served extracts worse: among as many questions answered without cause
    (47 of 100), 599 instead of 616 of 800 held the answer.
    """
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    for ending in ("ing", "ed", "ly"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 2 and re.search("[aeiouy]", rest):
            word = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    if word.endswith("ie") and len(word) > 4:
        word = word[:-1]
    if word.endswith("y") and len(word) > 2:
        word = word[:-1] + "i"
    return word.removesuffix("e") if len(word) > 3 else word


@lru_cache(maxsize=4096)
def korean_terms(word: str, stop: re.Pattern[str], *, glued: bool) -> Word:
    """Return the syllable pairs of a word without its ending; none for a stop word.

    `glued`: it follows a digit or a Latin letter, as the unit and the particle do in `3명이`, `AI가`.
    """
    if stop.fullmatch(word) and not glued:
        return ()
    word = without_ending(word, glued=glued)
    return () if not word or stop.fullmatch(word) else pairs(word)


def without_ending(word: str, *, glued: bool) -> str:
    for ending, rest in KOREAN_ENDINGS:
        found = ending.search(word)
        if found and (glued or found.start() >= rest):
            return word[: found.start()]
    return word


def pairs(word: str) -> Word:
    return tuple(word[at : at + 2] for at in range(len(word) - 1)) or (word,)
