"""Reduce a question to what it asks for: without greetings, thanks, requests to be told, and spoken endings. Pure.

`안녕하세요, 주차요금 좀 알려 주실 수 있나요?` becomes `주차요금?`, and `Could you tell me what parking costs, please?`
becomes `what parking costs?`. The words that go stand in no document, and would count as not found. Only those at the
edges of a sentence go: `안내 데스크` and `Thank-you letters` stay.
"""

from __future__ import annotations

import re

from app.language.content_words import ENGLISH_FUNCTION_WORDS
from app.language.hangul import HAS_SYLLABLE

# What ends a sentence; a point within a number or an address does not.
STOP = re.compile(r"((?<![.?!…~])[.?!…~]++(?=\s|$)|[。？！\n]++)")
WORD = re.compile(r"[\w'’-]+")
AROUND = " \t,;:–-"

# At the beginning of a sentence: greetings, thanks, apologies, and what joins it to the conversation.
KOREAN_START = re.compile(
    r"안녕[가-힣]{0,6}|반가[가-힣]{1,5}|반갑[가-힣]{1,5}|여보세요|저기요?|실례[합하지][가-힣]{0,6}|(?:죄송|미안)[하합해한][가-힣]{0,6}"
    r"|정말|너무|(?:감사|고맙)[합해하드습][가-힣]{0,6}|고마워요?|땡큐|수고[가하]?[가-힣]{0,5}|많으[가-힣]{1,5}|네|넵|예|음|아하?|오케이|알겠[가-힣]{1,5}"
    r"|그럼|그러면|그렇다면|그건|그게|그거|그렇고|말인데요?|그런데|근데|그리고|혹시나?|제발|좀|일단|그냥"
)
# Before a comma: 선생님, 휴가는?
KOREAN_ADDRESS = re.compile(r"[가-힣]{1,4}님|여러분|친구야|얘들아")
# At the end, from the last word to the first: a request to be told, and the words after and before it that go with it.
KOREAN_REQUEST = re.compile(
    r"(?:알려|가르쳐|말해|말씀해|설명해|안내해|소개해|얘기해|이야기해|찾아|찾아봐|알아봐|확인해|답해|대답해|답변해|봐|보여)(?:[주줘줄줬달봐볼보][가-힣]{0,8})?"
    r"|(?:설명|안내|확인|답변|회신|문의|질문|말씀|요청)?(?:부탁[가-힣]{0,7}|드[려립릴리][가-힣]{0,6}|바(?:랍니다|라요|래요|라며|랄게요|라겠습니다))"
    r"|(?:설명|안내|확인|답변|회신)(?:바람|요망|요청)|말씀하[가-힣]{1,6}"
    r"|(?:문의|질문)(?:합니다|해요|할게요)|궁금[합해하한][가-힣]{0,6}|(?:여쭤|여쭙|여쭐|물어)[가-힣]{0,8}"
    r"|알|(?:알|듣|묻|여쭙|물어보|확인하|문의하)고|아(?:세요|시나요|시는지요?|십니까|시죠|는지|나요)|알아요?|알까요?"
    r"|(?:감사|고맙)[합해하드습][가-힣]{0,6}|고마워요?|땡큐|(?:죄송|미안|수고)[하합해한][가-힣]{0,6}"
)
KOREAN_AFTER = re.compile(
    r"(?:주[세시실십면겠]|줘|줄|줬|달라|있|없|될|되|돼|됩|싶|좋)[가-힣]{0,7}|수|부탁|합니다|해요|하겠습니다|드려요|드립니다"
)
KOREAN_BEFORE = re.compile(
    r"설명|안내|확인|답변|회신|문의|질문|말씀|소개|요청|좀|한번|한|번|간단히|자세히|자세하게|빨리|다시|꼭|정말|너무|진심으로"
    r"|대해서?|대하여|대한|관해서?|관하여|관한|관련해서?|관련하여|관련된|것[을도]?|정보[를도]?|미리"
)
# 안내 바람 is a request, 오늘 바람 asks for the wind.
KOREAN_NOTE = re.compile(r"(?<=\s)(설명|안내|확인|답변|회신)\s(?=(?:바람|요망|요청)\s*$)")
# What a sentence ends with that asks whether and how, and no more: `주차 할인 있어?`, `반차 가능한가요?`.
KOREAN_QUESTION = re.compile(
    r"있(?:음|어요?|나요?|니|죠|지|을까요?|습니까|는지요?|는가요?|다면)|없(?:음|어요?|나요?|을까요?|습니까)|가능[한할합하해함][가-힣]{0,5}"
    r"|어떻게|어떤가요|어때요?|되나요?|돼요?|되죠|될까요?|됩니까|되는지요?|되는가요|됨|무엇인지"
    r"|(?:뭐|얼마|어디|언제|누구)(?:야|예요|이?에요|죠|지요?|임|인지요?|인가요?|인데요?|일까요?|입니까|니|냐)|(?:뭘|얼말)까요?"
    # 어딘가 and 누군가 are no questions.
    r"|(?:뭔|얼만|어딘|언젠|누군)(?:가요|지요?|데요?)|뭔가|얼만가|정보|인가요|인지"
)
KOREAN_ENDING = re.compile(
    r"(?<=[가-힣]{2})(?:(?:한|할|하는|된|될|되는)(?:가요|까요?|지요?|데요)|하려나요|하죠|해요|되죠)$"
    r"|(?<=[은는도만로])요$"
)

# What a sentence begins with before its question word or its first word of content.
ENGLISH_START = re.compile(
    r"hi|hello|hey|greetings|good|morning|afternoon|evening|everyone|anyone|thanks|thank|thx|cheers|lot|many|advance|"
    r"sorry|excuse|pardon|bother|disturb|bothering|disturbing|trouble|well|ok|okay|right|alright|great|now|also|oh|got|"
    r"see|just|actually|quick|curious|please|pls|kindly|possibly|maybe|perhaps|me|us|tell|telling|show|showing|explain|"
    r"explaining|inform|remind|clarify|describe|share|let|help|helping|give|giving|know|knowing|ask|asking|find|finding|"
    r"learn|learning|figure|understand|hear|check|like|love|want|wish|need|wonder|wondering|appreciate|interested|"
    r"looking|look|trying|try|hoping|happen|mind|chance|idea|possible|able|grateful|glad|happy|information|info|details|"
    r"question|get|getting|out|more|really|i'd|i'll|i've|i'm|we'd|you'd|let's"
)
# After a greeting, or at the end after a comma.
_ADDRESS = r"(?:mates?|buddy|pal|dude|bro|folks|guys|sir|madam|ma['’]am|(?:my|dear) friends?)"
ENGLISH_AFTER = re.compile(rf"you|but|there|friends?|{_ADDRESS}")
# Would you be so kind as to
SO_KIND = re.compile(
    r"(?:^|(?:would|will|could|can|might|please) (?:you )?(?:please )?)be "
    r"(?:(?:so|very|really) (?:kind|good|nice|helpful)(?: as)?|(?:kind|good|nice|helpful) (?:enough|as)) to\b",
    re.IGNORECASE,
)
ENGLISH_QUESTION = re.compile(r"what|when|where|who|whom|whose|which|why|how")
ASKED_OF_YOU = re.compile(
    r"(?:what|how) (?:(?:can|could|do|would) you (?:please )?(?:tell (?:me|us)|know|say) )?about\b", re.IGNORECASE
)
MAX_START, MAX_END = 80, 60
ENGLISH_END = re.compile(
    r"(?:(?:^|[\s,;–-]+)(?:please|pls|then|though|asap|if possible|if you can|by any chance"
    r"|(?:many |big )?(?:thanks|thank you|thx|cheers)(?: (?:a lot|so much|very much|again|in advance))*)"
    rf"|,\s*{_ADDRESS}){{1,3}}[\s,;:–-]*$",
    re.IGNORECASE,
)
ENGLISH_STOP = re.compile(ENGLISH_FUNCTION_WORDS)


def bare_question(text: str) -> str:
    """Return the question without its courtesies; the text itself if nothing else is in it."""
    return _without_courtesies(text) or text


def is_courtesy(text: str) -> bool:
    """Tell whether it greets or thanks and asks for nothing."""
    return WORD.search(text) is not None and not _without_courtesies(text)


def _without_courtesies(text: str) -> str:
    pieces = [*STOP.split(text), ""]
    bare = []
    for sentence, stop in zip(pieces[::2], pieces[1::2], strict=True):
        asked = (_korean if HAS_SYLLABLE.search(sentence) else _english)(sentence).strip(AROUND)
        if WORD.search(asked):
            bare.append(asked + stop.strip())
    return " ".join(bare)


def _korean(sentence: str) -> str:
    words = list(WORD.finditer(sentence := KOREAN_NOTE.sub(r"\1", sentence)))
    first = 0
    while first < len(words) and (
        KOREAN_START.fullmatch(words[first][0])
        or (KOREAN_ADDRESS.fullmatch(words[first][0]) and sentence.startswith(",", words[first].end()))
    ):
        first += 1
    last = first + _without_request([word[0] for word in words[first:]])
    if first == last:
        return ""
    begin = words[first].start() if first else 0
    end = words[last - 1].end() if last < len(words) else len(sentence.rstrip())
    return KOREAN_ENDING.sub("", sentence[begin:end])


def _without_request(words: list[str]) -> int:
    """Return how many words come before the request at the end."""
    kept, asked = len(words), False
    for number in range(len(words) - 1, -1, -1):
        word = words[number]
        if KOREAN_REQUEST.fullmatch(word):
            kept, asked = number, True
        elif kept == number + 1 and (KOREAN_QUESTION.fullmatch(word) or (asked and KOREAN_BEFORE.fullmatch(word))):
            kept = number
        elif not KOREAN_AFTER.fullmatch(word):
            break
    return kept


def _english(sentence: str) -> str:
    sentence = sentence.strip()
    shortened = sentence[:-MAX_END] + ENGLISH_END.sub("", sentence[-MAX_END:])
    if about := ASKED_OF_YOU.match(shortened):
        return shortened[about.end() :]
    so_kind = found.end() if (found := SO_KIND.search(shortened, 0, MAX_START)) else 0
    cut = 0
    for word in WORD.finditer(shortened):
        plain = word[0].casefold().replace("’", "'")
        if word.start() < so_kind or ENGLISH_START.fullmatch(plain) or (cut and ENGLISH_AFTER.fullmatch(plain)):
            cut = word.end()
        elif ENGLISH_QUESTION.fullmatch(plain) or not ENGLISH_STOP.fullmatch(plain):
            break
    return shortened[cut:]
