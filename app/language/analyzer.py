"""Analyse text into the terms of the lexical leg, the same way at ingest and at query.

English words lower-cased and stemmed, Korean words as overlapping syllable pairs without their endings and, with Kiwi,
as morphemes too. The evaluation behind it is docs/decisions/0005.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

import Stemmer

from app.language.content_words import ENGLISH_FUNCTION_WORDS, HAN, KOREAN_FUNCTION_WORDS, korean_terms, pairs
from app.language.hangul import HAS_SYLLABLE, SYLLABLES
from app.language.marks import cut_runs
from app.language.numbers import plain_numbers
from app.language.passage_language import language_mark

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

Scheme = Literal["bigrams", "kiwi"]

# Raise with every change of what terms() returns, a new kiwipiepy or PyStemmer included: migrate then analyses stored
# texts again.
VERSION = 4

WORD = re.compile(rf"(?P<hangul>[{SYLLABLES}]+)|(?P<han>[{HAN}]+)|(?P<other>[^\W_{SYLLABLES}{HAN}]+)")
# A digit, a Latin letter or a Chinese character before Hangul: what follows is a unit, a particle or an ending.
GLUE = re.compile(rf"[0-9A-Za-z{HAN}]")
PARTS = re.compile(r"[0-9]+|[^\W\d_]+")
APOSTROPHE = re.compile(r"(?<=\w)['’](?:s\b)?", re.IGNORECASE)
ENGLISH_STOP = re.compile(ENGLISH_FUNCTION_WORDS)
KOREAN_STOP = re.compile(KOREAN_FUNCTION_WORDS)

MAX_TERM_LENGTH = 64

# Nouns, pronouns aside, verbs, adjectives, roots, adverbs.
CONTENT_TAGS = frozenset({"NNG", "NNP", "NNB", "NR", "VV", "VA", "XR", "MAG"})
# Kiwi's time grows with the square of what has no boundary, hence pieces, at white space if there is some.
PIECE = re.compile(r"\S.{0,999}(?=\s|$)|\S.{0,999}", re.DOTALL)

LOADING = threading.Lock()


class Analyzer:
    """Thread-safe. Kiwi takes seconds and half a gigabyte: the first Korean text loads it, once for the process."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self.name = f"{scheme}/{VERSION}"
        self._own = threading.local()

    def terms(self, text: str) -> list[str]:
        """Return terms with repetitions. Blocks: 0.3 s for a thousand characters of hostile Korean, 7 ms usually."""
        return self._terms(text, with_parts=False)

    def chunk_terms(self, headings: Sequence[str], text: str) -> list[str]:
        """Return the terms of a chunk and of what it stands under, by which it is found too, and its language."""
        whole = "\n".join([*headings, text])
        return self._terms(whole, with_parts=True) + language_mark(unicodedata.normalize("NFC", cut_runs(whole)))

    def _terms(self, text: str, *, with_parts: bool) -> list[str]:
        normal = plain_numbers(unicodedata.normalize("NFKC", cut_runs(text)), with_parts=with_parts)
        terms = list(self._words(normal))
        if self.scheme == "kiwi":
            terms += self._morphemes(normal)
        return terms

    def _words(self, text: str) -> Iterator[str]:
        for found in WORD.finditer(APOSTROPHE.sub("", text)):
            if hangul := found["hangul"]:
                before = found.string[found.start() - 1 : found.start()]
                yield from korean_terms(hangul, KOREAN_STOP, glued=bool(GLUE.fullmatch(before)))
            elif han := found["han"]:
                yield from pairs(han)
            else:
                yield from self._other(found["other"])

    def _other(self, word: str) -> Iterator[str]:
        """Keep `IT` and `US`, which are not stop words; let `RTX4090` and `RTX 4090` find each other."""
        plain = _without_accents(word[:MAX_TERM_LENGTH]).casefold()
        shouted = len(word) > 1 and word.isupper()
        if shouted or not ENGLISH_STOP.fullmatch(plain):
            yield self._stemmer.stemWord(plain)
        parts = PARTS.findall(plain)
        if len(parts) > 1:
            yield from (self._stemmer.stemWord(part) for part in parts)

    def _morphemes(self, text: str) -> Iterator[str]:
        for piece in PIECE.findall(text):
            if HAS_SYLLABLE.search(piece):
                with LOADING:
                    kiwi = _kiwi()
                yield from (
                    token.form
                    for token in kiwi.tokenize(piece)
                    if token.tag.partition("-")[0] in CONTENT_TAGS and _is_content(token.form)
                )

    @property
    def _stemmer(self) -> Stemmer.Stemmer:
        # One for each thread: it keeps its working memory in itself.
        if not hasattr(self._own, "stemmer"):
            self._own.stemmer = Stemmer.Stemmer("english")
        stemmer: Stemmer.Stemmer = self._own.stemmer
        return stemmer


@cache
def _kiwi() -> Kiwi:
    from kiwipiepy import Kiwi

    return Kiwi(num_workers=1)


def _is_content(morpheme: str) -> bool:
    return (
        len(morpheme) <= MAX_TERM_LENGTH
        and HAS_SYLLABLE.search(morpheme) is not None
        and not KOREAN_STOP.fullmatch(morpheme)
    )


def _without_accents(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
