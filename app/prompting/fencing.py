"""Keep retrieved text data: nothing in it may pass for a turn, a source or a sign of the prompt's own. Pure.

Only what goes into the prompt is changed; citations quote the stored text. Plain words stay, in whatever language or
encoding: that a model does not obey them, no spelling can ensure (docs/guides/prompt-injection.md).
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Control characters, bidirectional embeddings, overrides and isolates, and tag characters, which spell invisible ASCII.
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
PAGE_BREAK = re.compile(r"[\x0b\x0c\x1c-\x1e\x85]")
# Zero-width characters and variation selectors: emoji and scripts need one or two in a row, hidden messages many.
INVISIBLE = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\U000e0100-\U000e01ef"
)
HIDDEN_RUN = re.compile(f"[{INVISIBLE}]{{3,}}")
ONE_INVISIBLE = re.compile(f"[{INVISIBLE}]")

# One character for one, so that places stay: full-width and mathematical forms, and what looks like ASCII.
LOOKALIKES = {
    "<": "﹤‹〈⟨❮❬˂≺《«⟪",
    ">": "﹥›〉⟩❯❭˃≻》»⟫",
    "|": "¦ǀ∣❘│┃⏐￨",
    "[": "【〔⟦〖",
    "]": "】〕⟧〗",
    "/": "⁄∕",
    "-": "‐‑‒–—−",
    "_": "‗▁",
}
LETTERS = str.maketrans("АВЕКМНОРСТХІЅЈаеорсухіѕјԁΑΒΕΖΗΙΚΜΝΟΡΤΥΧονι", "ABEKMHOPCTXISJaeopcyxisjdABEZHIKMNOPTYXovi")
FOLD = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {0x1D400 + place: ord("Aa"[place // 26 % 2]) + place % 26 for place in range(13 * 52)}
    | {ord(each): ord(plain) for plain, alike in LOOKALIKES.items() for each in alike}
    | LETTERS
)

# The others, 〈 and 【 among them, enclose titles and headings in ordinary Korean.
TRUE_BRACKETS = frozenset("<[＜［﹤")

FENCE = "source-"
FENCE_LIKE = r"<{1,2}[ \t]{0,3}/?[ \t]{0,3}source[ \t]{0,3}-[^<>\[\]|()\n]{0,57}>"
FENCE_TAG = re.compile(FENCE_LIKE, re.IGNORECASE)
IDENTIFIER = re.compile(r"[^\W\d]\w*")
LINE_START = r"(?<![^\n\r\u2028\u2029])[ \t]{0,8}"
# A bracket closed by its like, with nothing in between that neutralising puts there: so one pass is enough.
INNER = r"[^<>\[\]|()\n]{1,64}"
MARK = re.compile(
    rf"(?P<header>{LINE_START}\[[ \t]{{0,3}}\d{{1,4}}[ \t]{{0,3}}\](?=[^\n]{{0,600}}?{FENCE_LIKE}))"
    rf"|(?P<turn>{LINE_START}\#{{2,6}}[ \t]{{0,3}}"
    r"(?:(?:system|user|assistant|human)[ \t]{0,3}:|(?:instruction|input|response)[ \t]{0,3}:[ \t]{0,8}(?=[\n\r]|\Z)))"
    rf"|(?:<{{1,2}}[ \t]{{0,3}}[|/]{{0,2}}(?P<tag>{INNER})\|?[ \t]{{0,3}}>{{1,2}})"
    rf"|(?:\[{{1,2}}[ \t]{{0,3}}[|/]{{0,2}}(?P<word>{INNER})\|?[ \t]{{0,3}}\]{{1,2}})"
    r"|\]~!?b[\[\]]|\[e~\[|<?/?\|dsml\|",
    re.IGNORECASE,
)
PLAIN = {"<": "(", "[": "(", ">": ")", "]": ")", "|": "", "#": ""}

# Names between `<|` and `|>`, or `[|` and `|]`, that count even with spaces in between (ChatML, Qwen, Llama 3 and 4,
# Phi, DeepSeek, GPT-OSS, EXAONE, HyperCLOVA X, Solar, Granite); without spaces any name does between `<|` and `|>`.
PIPED = re.compile(
    r"im(?:start|end|sep|user|assistant|system|middle)|system|user|assistant|tools?|developer|turn|channel|message|start"
    r"|end|return|call|constrain|think(?:ing)?|(?:start|end|begin)of(?:turn|text|role|sentence|prompt)|observation|stop"
    r"|endofturn|(?:start|end)headerid|header(?:start|end)|eo[tm](?:id)?|pythontag|tool(?:call|output)s?(?:begin|end)?"
    r"|toolresponse|pad|[be]os|fim(?:prefix|middle|suffix)"
)
# Names between `<` and `>` (Llama 2, Mistral, Gemma, Qwen, GLM, EXAONE, Command R, StarCoder, SmolLM, Nemotron,
# Apertus, Seed-OSS, Ling, MiniMax).
ANGLED = re.compile(
    r"s|bos|eos|pad|unk|mask|sop|eop|sys|bostoken|eostoken|(?:start|end)of(?:turn|image)|imagesofttoken|think|thought"
    r"|toolcalls?|tools?|toolresponse|toolresults?|functioncall|functionresponse|(?:unused|reserved|extraid)\d{1,5}"
    r"|special\d{1,5}|seed(?::\w+)?|role|fim(?:prefix|middle|suffix|pad)|masktoken|arg(?:key|value)|endofutterance"
    r"|(?:start|end)ofaudio|minimax:toolcall|reponame|filename|filesep|ghstars|issue(?:start|comment|closed)|jupyter(?:start|text|code|output|script)|emptyoutput"
)
# Names between `[` and `]` (Mistral, GLM, EXAONE, InternLM, Pangu, Kimi) and our own sign that nothing answers.
SQUARED = re.compile(
    r"inst|toolcalls|availabletools|toolresults|toolcontent|systemprompt|modelsettings|gmask|smask|noanswer"
    r"|unused(?:token)?\d{1,5}|control\d{1,5}|(?:start|end)headerid"
)
# The same, where small letters or a space more make an ordinary word in brackets.
SQUARED_EXACTLY = re.compile(
    r"ARGS|EOT|CALL_ID|PREFIX|MIDDLE|SUFFIX|IMG(?:_BREAK|_END)?|(?:BEGIN_)?AUDIO|THINK|BOS|EOS|PAD|SEP|CLS|MASK|UNK"
)


@dataclass(frozen=True, slots=True)
class Fence:
    """The tag around each source of a prompt, and what must not get through it beside the tokens known here."""

    tag: str
    special_tokens: frozenset[str] = frozenset()
    """Those of the served model's tokenizer and template, as they write them."""

    def neutralise(self, text: str) -> str:
        """Take the brackets off template tokens, fences, forged headers and our signs; remove invisible text.

        The result is never longer, and stays the same when done again. Everything else stays.
        """
        text = HIDDEN_RUN.sub("", CONTROL.sub("", PAGE_BREAK.sub("\n", text)))
        if self.special_tokens:
            text = _plain(text, _spelling(self.special_tokens), lambda *_: True)
        return _plain(text, MARK, _acts)


def new_fence(special_tokens: frozenset[str] = frozenset()) -> Fence:
    """Make a fence for one request: no document can contain it."""
    return Fence(f"{FENCE}{secrets.token_hex(4)}", special_tokens)


@functools.lru_cache(maxsize=8)
def _spelling(tokens: frozenset[str]) -> re.Pattern[str]:
    """Compile a pattern over folded text, the longest token first; a number stands for any: some have thousands."""
    folded = {re.escape(ONE_INVISIBLE.sub("", token.translate(FOLD))) for token in tokens}
    spelt = {re.sub(r"[0-9]+", "[0-9]{1,6}", each) for each in folded}
    return re.compile("|".join(sorted(spelt, key=len, reverse=True)), re.IGNORECASE)


def _plain(text: str, pattern: re.Pattern[str], acts: Callable[[re.Match[str], frozenset[str]], bool]) -> str:
    """Take the brackets off what the pattern finds in the folded text, where it `acts`, given how it begins."""
    folded = text.translate(FOLD)
    places: Sequence[int] = range(len(text))
    if ONE_INVISIBLE.search(text):
        places = [place for place, character in enumerate(text) if not ONE_INVISIBLE.match(character)]
        folded = ONE_INVISIBLE.sub("", folded)
    parts: list[str] = []
    end = 0
    for found in pattern.finditer(folded):
        opening = frozenset(text[places[at]] for at in range(found.start(), min(found.start() + 2, found.end())))
        if acts(found, opening):
            parts.append(text[end : places[found.start()]])
            parts += [PLAIN.get(folded[at], text[places[at]]) for at in range(*found.span())]
            end = places[found.end() - 1] + 1
    return "".join(parts) + text[end:]


def _acts(found: re.Match[str], opening: frozenset[str]) -> bool:
    """Tell whether what stands in brackets means something to a chat template, or to us."""
    inner = found["tag"] or found["word"]
    if inner is None or FENCE_TAG.match(found[0]):
        return True
    if TRUE_BRACKETS.isdisjoint(opening) and "|" not in found[0] and "_" not in inner:
        return False
    return _angled(found[0], inner) if found["tag"] else _squared(found[0], inner)


def _angled(whole: str, inner: str) -> bool:
    name, spaced = _name(inner), re.search(r"\s", whole) is not None
    if "|" not in whole:
        return ANGLED.fullmatch(name) is not None and not (spaced and len(name) < 3)
    both = whole.strip("</")[0] == whole.strip(">")[-1] == "|"
    return PIPED.fullmatch(name) is not None or (not spaced and (both or IDENTIFIER.fullmatch(inner) is not None))


def _squared(whole: str, inner: str) -> bool:
    name = _name(inner)
    if "|" in whole:
        return PIPED.fullmatch(name) is not None
    return (SQUARED.fullmatch(name) or SQUARED_EXACTLY.fullmatch(inner)) is not None


def _name(inner: str) -> str:
    return re.sub(r"[\s_/-]", "", inner).lower()
