"""Tells languages in Latin letters by their accented ones, where nothing says which charset of bytes a text is in.

Read in another charset a text has other accented letters, which belong to no language together.
"""

from __future__ import annotations

import re
from collections import Counter

# Words that came from other languages have them everywhere.
EVERYWHERE = "éèêüöä"
# Of languages that are written in Windows-1252.
WESTERN = (
    "äöüß", "éèçñüöäïô", "àâæçéèêëîïôœùûüÿ", "àèéìíîòóùú", "áéíóúñü", "áâãàçéêíóôõúü", "àçèéíïòóúü", "æøåéóòôê",
    "åäöéàšžõ", "áðéíóúýþæö", "áðíóúýæø", "ëïéèöüáíóúàêâ", "áâàéêèíîïóôòúûùëöäẅŵŷ",
)  # fmt: skip
# By charset the languages that are written in it: what is in their texts, and all their letters. What must be there is
# in no other language's text that is read in this charset, or not beside those letters.
OWN = {
    "cp1254": ((("[ğışİ]",), "çêğıöşüâîûİ"),),
    "cp1250": (
        (("[őű](?!e)", "[áéíóú]"), "áéíóöőúüű"),  # In Portuguese an `õ` stands before an `e`.
        (("[ął]", "[ćęńóśźż]"), "ąćęłńóśźż"),
        (("[ěřů]", "[áíýšž]"), "áčďéěíňóřšťúůýž"),
        (("[ľčťďň]", "[áýšž]"), "áäčďéíĺľňóôŕšťúýž"),
        (("[čćđ]", "[šž]"), "čćđšž"),
        (("ă", r"[^\W\d_]{2}[şţ]|[şţ][^\W\d_]"), "ăâîşţ"),  # After a number it is an ordinal's `º`.
    ),
    "cp1257": (
        (("[šž]",), "ąčęėįšųūž"),
        (("ė", "[įų]"), "ąčęėįšųūž"),
        (("[āī]", "[šžģņ]"), "āčēģīķļņšūž"),
    ),
}  # fmt: skip
# The standard's set, in which some of these letters stand elsewhere.
OWN["iso-8859-2"] = OWN["cp1250"]
VIETNAMESE = (((), "ăâđêôơưàáãèéìíòóõùúý"),)
# They count as letters, and stand beside numbers.
SIGNS = "µªº"
# Of the accented letters; they are those of names.
MAX_FOREIGN = 0.05


def is_own(text: str, charset: str) -> bool:
    """Tell whether the text is in one of the languages that are written in this charset alone."""
    lower, accented = text.lower(), _accented(text)
    return any(
        _is_of(accented, letters) and all(re.search(each, lower) for each in needed)
        for needed, letters in OWN.get(charset, ())
    )


def is_western(text: str, content: bytes) -> bool:
    """Tell whether the text is in one of the languages that are written in Windows-1252, or in several of them: not in
    one of another charset, which these bytes may be, too."""
    accented = _accented(text)
    if not accented or any(_is_of(accented, letters + EVERYWHERE) for letters in WESTERN):
        return True
    return not any(
        _is_of(_accented(content.decode(charset, "replace")), letters)
        for charset, languages in (*OWN.items(), ("cp1258", VIETNAMESE))
        for _, letters in languages
    )


def _accented(text: str) -> Counter[str]:
    return Counter(each for each in text if ord(each) > 127 and each.isalpha() and each not in SIGNS)


def _is_of(accented: Counter[str], letters: str) -> bool:
    own = {*letters, *letters.upper()}
    return sum(count for letter, count in accented.items() if letter not in own) <= MAX_FOREIGN * accented.total()
