"""Recognise what is said to the service and asks for no document's content: greetings, `어떤 문서가 있어?`. Pure.

The whole question must be of a known form: `요약 보고서의 제출 기한은?` asks for content.
"""

from __future__ import annotations

import re

from app.language.courtesy import bare_question, is_courtesy

MAX_CHARACTERS = 120
PUNCTUATION = re.compile(r"[^\w\s'’]+")

_FILES = r"(?:문서|자료|파일|내용|데이터|콘텐츠|정보)들?"
_ASK = r"(?:\s?(?:알려|보여|말해|주|줘|줄|줬|달라|수|있|없|부탁|드|해|하|좀|될|되|돼)[가-힣]{0,7}){0,5}"
KOREAN = re.compile(
    rf"(?:(?:여기|이곳|지금|현재|너|당신|네게|너한테)[가-힣]{{0,3}}\s)?(?:어떤|무슨|어느|뭔)\s?{_FILES}[가-힣]{{0,2}}"
    rf"(?:\s(?:있|들어|가지|갖|저장|등록|보관|올라|담겨|알고)[가-힣]{{0,7}}){{0,3}}"
    rf"|(?:(?:전체|모든|저장된|등록된)\s)?{_FILES}(?:의)?\s?(?:목록|리스트|종류)[을를은는이가]?{_ASK}"
    rf"|(?:저장된|등록된|올린|들어\s?있는|가지고\s?있는|보유한)\s{_FILES}[가-힣]{{0,2}}(?:\s(?:뭐|무엇|어떤)[가-힣]{{0,6}}){{0,2}}{_ASK}"
    r"|(?:(?:너|넌|당신|네)[가-힣]{0,2}\s)?(?:뭘|뭐를|뭐|무엇을|무얼|무슨\s질문|어떤\s질문|어떤\s것)[을를]?"
    r"\s(?:물어|질문|도와|할|하면|답|대답)[가-힣]{0,6}(?:\s(?:수|있|되|돼|줄|주|좋)[가-힣]{0,6}){0,3}"
    r"|(?:너|넌|당신|네)[가-힣]{0,2}\s(?:누구|뭐|무엇|이름)[가-힣]{0,6}(?:\s[가-힣]{1,5})?"
    rf"|(?:(?:전체|모두|모든|다|이|그|이것|위|{_FILES}|줄거리|핵심)[을를의만]?\s|(?:간단히|간단하게|짧게|좀)\s){{0,5}}(?:요약|정리)(?:본|문)?[을를]?{_ASK}"
    r"|하이|헬로우?|반가워요?|도와줘|도움말"
)
_DOCUMENTS = r"(?:documents?|docs?|files?|sources?|materials?|texts?|data|contents?|information|topics?|subjects?)"
_THE = r"(?:(?:all|the|these|those|this|your|of|my|stored|available)\s)*"
_PLEASE = r"(?:(?:can|could|would|will|you|please|kindly)\s)*"
ENGLISH = re.compile(
    rf"(?:what|which)(?: (?:kind|sort|type)s? of)? {_DOCUMENTS} (?:do you (?:have|know|hold|store|use|search|contain)"
    r"|can (?:you|i) (?:search|read|use|see|access|ask about)"
    r"|are (?:there|here|stored|available|loaded|in (?:here|there)))"
    r"(?: (?:about|in|here|there|now)){0,2}"
    rf"|{_PLEASE}(?:show|list|give|name|display)(?: me| us)?(?: (?:a|the))?(?: list of)? {_THE}{_DOCUMENTS}"
    rf"|(?:a |the )?list of {_THE}{_DOCUMENTS}"
    r"|what (?:can|could|should|may) i ask(?: you)?(?: about| here)?"
    r"|what can you (?:do|answer|help(?: me)? with)(?: for me)?"
    r"|how (?:can|do|could) you (?:help(?: me)?|work)|(?:who|what) are you|help(?: me)?"
    rf"|{_PLEASE}(?:summari[sz]e|sum up|tl dr|tldr"
    r"|(?:give|get|show)?(?: ?me| ?us)?(?: ?an?)? ?(?:summary|overview|outline))"
    rf"(?: (?:of|it|this|that|everything|all|for me|briefly|shortly|{_THE}{_DOCUMENTS})){{0,4}}"
    r"|what(?:'s| is)(?: stored)? (?:in )?(?:here|there)",
    re.IGNORECASE,
)


def is_about_the_shelf(text: str) -> bool:
    """Tell whether it greets, thanks, or asks what is stored here, what can be asked, or for a summary of it all."""
    if len(text) > MAX_CHARACTERS:
        return False
    spellings = (" ".join(PUNCTUATION.sub(" ", each).split()) for each in (text, bare_question(text)))
    return is_courtesy(text) or any(KOREAN.fullmatch(each) or ENGLISH.fullmatch(each) for each in spellings)
