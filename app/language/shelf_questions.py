"""Recognise what is said to the service and asks for no document's content: greetings, `어떤 문서가 있어?`. Pure.

The whole question must be of a known form: `요약 보고서의 제출 기한은?` asks for content.
"""

from __future__ import annotations

import re

from app.language.courtesy import bare_question, is_courtesy

MAX_CHARACTERS = 120
PUNCTUATION = re.compile(r"[^\w\s'’]+")

_FILES = r"(?:문서|자료|파일|내용|데이터|콘텐츠|정보)들?"
_COUNTABLE = r"(?:문서|자료|파일)들?"
_TELL = r"(?:알려|보여|말해|말씀|나열|뽑아)[가-힣]{0,7}"
_GIVE = (
    r"주[세시실십면겠라렴지][가-힣]{0,6}|줘[가-힣]{0,3}|줄(?:래|수|까|게)?[가-힣]{0,4}|줬[가-힣]{0,5}|달라[가-힣]{0,3}"
)
# Whole words: 있어야, 수정 and 주의사항 make other questions.
_IS = r"있(?:어요?|나요?|니|냐|죠|지요?|습니까|는지요?|는가요?|을까요?|으신가요?)?"
_DO = (
    r"부탁[가-힣]{0,7}|드[려릴립리][가-힣]{0,5}|해(?:[주줘줄줬달서요라봐볼][가-힣]{0,5})?|하(?:면|여|세|실|시)[가-힣]{0,5}"
    r"|할|좀|수[가는도]?|[될되돼][가-힣]{0,4}"
)
_ASK = rf"(?:\s?(?:{_TELL}|{_GIVE}|{_IS}|없(?:어요?|나요?|을까요?|습니까)|{_DO})(?![가-힣])){{0,5}}"
_PUT = (
    r"(?:저장|등록|보관|업로드|추가|색인)(?:된|한|해\s?둔|돼|되어|했[가-힣]{0,4}|됐[가-힣]{0,4})?"
    r"|올린|올려\s?둔|올렸[가-힣]{0,4}|넣은|넣었[가-힣]{0,4}"
)
_MINE = r"(?:내|제|우리|저희)가?"
_HERE = r"(?:여기|이곳|지금|현재|너|당신|네게|너한테|총|모두|전부)[가-힣]{0,3}"
KOREAN = re.compile(
    rf"(?:{_HERE}\s)?(?:어떤|무슨|어느|뭔)\s?(?:{_FILES}|주제|분야)[가-힣]{{0,2}}"
    rf"(?:\s(?:있|들어|가지|갖|저장|등록|보관|올라|담겨|알고)[가-힣]{{0,7}}){{0,3}}"
    rf"|(?:어떤|무슨)\s(?:주제|분야|내용|것)[가-힣]{{0,2}}\s(?:다루|다뤄|다룰|알고|아)[가-힣]{{0,5}}(?:\s{_IS})?"
    rf"|{_MINE}\s(?:어떤|무슨|뭔)\s?{_FILES}[을를]?\s(?:{_PUT})"
    rf"|(?:(?:전체|모든|저장된|등록된)\s)?{_FILES}(?:의)?\s?(?:목록|리스트|종류)[을를은는이가]?{_ASK}"
    rf"|(?:(?:전체|모든|{_PUT})\s)?(?:{_COUNTABLE}의?\s?(?:제목|이름)들?|제목들|제목(?=\s?(?:목록|리스트)))"
    rf"(?:\s?(?:목록|리스트))?[을를은는이가]?(?:\s(?:뭐|무엇|다|모두|전부)[가-힣]{{0,4}})?{_ASK}"
    rf"|(?:{_MINE}\s)?(?:{_PUT}|들어\s?있는|가지고\s?있는|보유한)\s{_FILES}[가-힣]{{0,2}}(?:\s(?:뭐|무엇|어떤)[가-힣]{{0,6}}){{0,2}}{_ASK}"
    rf"|{_COUNTABLE}[은는이가]?\s(?:뭐|무엇|어떤\s?[게것])[가-힣]{{0,2}}\s(?:들어\s?)?{_IS}"
    rf"|(?:(?:{_HERE}|{_MINE}|{_PUT}|들어\s?있는)\s){{0,2}}{_COUNTABLE}[은는이가]?\s(?:(?:총|모두|전부|다\s?합쳐)\s)?"
    rf"몇\s?(?:개|건|편|가지|부)(?:이?나)?(?:인가요?|야|예요|이에요|인지|입니까|죠|지)?(?:\s(?:{_PUT}|들어))?{_ASK}"
    rf"|(?:(?:{_HERE})\s)?몇\s?(?:개|건|편|가지|부)의\s{_COUNTABLE}[은는이가]?(?:\s(?:{_PUT}|들어))?{_ASK}"
    rf"|(?:(?:{_HERE}|{_PUT})\s){{0,2}}{_COUNTABLE}의?\s?(?:개수|갯수|총수|수)[는가를]?(?:\s(?:얼마|몇)[가-힣]{{0,5}})?{_ASK}"
    r"|(?:(?:너|넌|당신|네)[가-힣]{0,2}\s)?(?:뭘|뭐를|뭐|무엇을|무얼|무슨\s질문|어떤\s질문|어떤\s것)[을를]?"
    r"\s(?:물어|질문|도와|할|하면|답|대답|알[고아려]|아[는니세])[가-힣]{0,6}(?:\s(?:수|있|되|돼|줄|주|좋)[가-힣]{0,6}){0,3}"
    r"|(?:(?:너|네|당신)[가-힣]{0,2}\s)?(?:아는|알고\s있는)\s(?:게|것이|것은|건)\s?(?:뭐|무엇|뭔)[가-힣]{0,4}"
    r"|(?:너|넌|당신|네)[가-힣]{0,2}\s(?:누구|뭐|무엇|이름)[가-힣]{0,6}(?:\s[가-힣]{1,5})?"
    rf"|(?:(?:전체|모두|모든|다|이|그|이것|위|{_FILES}|줄거리|핵심)[을를의만]?\s|(?:간단히|간단하게|짧게|좀)\s){{0,5}}(?:요약|정리)(?:본|문)?[을를]?{_ASK}"
    r"|하이|헬로우?|반가워요?|도와줘|도움말"
)
_DOCUMENTS = r"(?:documents?|docs?|files?|sources?|materials?|texts?|data|contents?|information|topics?|subjects?)"
_THE = r"(?:(?:all|the|these|those|this|your|of|my|stored|available)\s)*"
_PLEASE = r"(?:(?:can|could|would|will|you|please|kindly)\s)*"
_FILED = r"(?:documents?|docs?|files?|sources?|texts?)"
_ADDED = r"(?:upload|add|store|ingest|index|import|save)(?:e?d)?"
_I_PUT = rf"(?:(?:did|have) (?:i|we) (?:already )?{_ADDED}|(?:i|we)(?: have|'ve)? {_ADDED})"
_PLACE = r"(?:library|knowledge base|database|collection|index|system|shelf)"
_IN_HERE = rf"(?: (?:already|so far|in total|now|here|there|in (?:here|there|(?:the|your|my) {_PLACE}))){{0,2}}"
ENGLISH = re.compile(
    rf"(?:what|which)(?: (?:kind|sort|type)s? of)? {_DOCUMENTS} (?:{_I_PUT}"
    r"|do you (?:have|know|hold|store|use|search|contain|cover)"
    r"|can (?:you|i) (?:search|read|use|see|access|ask about)"
    r"|are (?:there|here|stored|available|loaded|in (?:here|there)))"
    r"(?: (?:about|in|here|there|now)){0,2}"
    rf"|how many {_THE}{_FILED} (?:(?:are|is)(?: (?:there|stored|uploaded|available|indexed))?"
    rf"|(?:do you|have you|have we|do we|do i|have i) (?:have|hold|store|know|got)|{_I_PUT}){_IN_HERE}"
    rf"|(?:are|is) there any {_FILED}{_IN_HERE}|(?:do you have|have you got) any {_FILED}"
    rf"|what (?:{_I_PUT}|do you (?:know|have|hold|cover|contain)){_IN_HERE}"
    rf"|{_PLEASE}(?:(?:what|which) (?:are|is) |(?:show|list|give|name|display|tell)(?: me| us)? |)(?:a list of )?"
    rf"{_THE}(?:{_FILED} (?:titles?|names?)|titles(?: of {_THE}{_FILED})?|names of {_THE}{_FILED})"
    rf"{_IN_HERE}"
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
