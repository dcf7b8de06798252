"""Reads styles and lists of an OpenDocument text, from both parts that hold such."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.loading.parsers.list_numbers import formatted
from ingest.loading.parsers.ooxml import Attributes

BULLET = "- "
PLAIN_BULLETS = set("•·◦▪●–—-‣✗➢►") | {""}
PRIVATE = range(0xE000, 0xF900)
MAX_CHAIN = 50
# Numbers are named by how they begin.
KINDS = {
    "1": "decimal", "01": "decimalZero", "1st": "ordinal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman",
    "I": "upperRoman", "가": "ganada", "ㄱ": "chosung", "일": "koreanCounting", "하나": "koreanLegal",
    "①": "decimalEnclosedCircle", "一": "chineseCounting", "甲": "ideographTraditional", "子": "ideographZodiac",
    "１": "decimalFullWidth", "ア": "aiueo", "イ": "iroha",
}  # fmt: skip


def local(attributes: Attributes) -> Attributes:
    return {qualified.rpartition(":")[2]: value for qualified, value in attributes.items()}


def whole(attributes: Attributes, name: str, default: int = 1) -> int:
    digits = attributes.get(name, "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else default


@dataclass(slots=True)
class Level:
    kind: str = ""
    prefix: str = ""
    suffix: str = ""
    shown: int = 1
    start: int = 1
    bullet: str | None = None

    def label(self, numbers: list[str]) -> str:
        """Return the label of a paragraph, with the space after it, from the numbers of this level and those above."""
        if self.bullet is not None:
            plain = self.bullet in PLAIN_BULLETS or ord(self.bullet[0]) in PRIVATE
            return BULLET if plain else f"{self.bullet} "
        if not self.kind:
            return f"{self.prefix}{self.suffix}".strip()
        label = f"{self.prefix}{'.'.join(numbers[-self.shown :])}{self.suffix}".strip()
        return f"{label} " if label else ""


@dataclass(slots=True)
class Style:
    parent: str = ""
    hidden: bool | None = None
    raised: bool = False
    begins_page: bool = False


@dataclass
class Styles:
    """`outline` holds the levels of headings that are numbered by themselves."""

    styles: dict[tuple[str, str], Style] = field(default_factory=dict)
    lists: dict[str, dict[int, Level]] = field(default_factory=dict)
    outline: dict[int, Level] = field(default_factory=dict)
    _style: Style | None = None
    _levels: dict[int, Level] | None = None

    def start(self, name: str, qualified: Attributes) -> None:
        attributes = local(qualified)
        match name:
            case "style":
                key = (attributes.get("family", ""), attributes.get("name", ""))
                self._style = self.styles[key] = Style(attributes.get("parent-style-name", ""))
            case "text-properties" if self._style and self._levels is None:
                shown = attributes.get("display")
                self._style.hidden = None if shown is None else shown == "none"
                self._style.raised = attributes.get("text-position", "").startswith(("super", "3", "4", "5"))
            case "paragraph-properties" if self._style:
                self._style.begins_page = attributes.get("break-before") == "page"
            case "list-style":
                self._levels = self.lists.setdefault(attributes.get("name", ""), {})
            case "outline-style":
                self._levels = self.outline
            case "list-level-style-number" | "outline-level-style" if self._levels is not None:
                self._levels[whole(attributes, "level")] = _level(attributes)
            case "list-level-style-bullet" if self._levels is not None:
                self._levels[whole(attributes, "level")] = Level(bullet=attributes.get("bullet-char", ""))

    def text(self, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        if name == "style":
            self._style = None
        elif name in ("list-style", "outline-style"):
            self._levels = None

    def is_hidden(self, family: str, name: str) -> bool | None:
        for _ in range(MAX_CHAIN):
            style = self.styles.get((family, name))
            if style is None or style.hidden is not None:
                return style.hidden if style else None
            name = style.parent
        return None

    def of(self, family: str, name: str) -> Style:
        return self.styles.get((family, name)) or Style()


def _level(attributes: Attributes) -> Level:
    named = attributes.get("num-format", "").partition(",")[0].strip()
    return Level(
        KINDS.get(named, "decimal") if named else "",
        attributes.get("num-prefix", ""),
        attributes.get("num-suffix", ""),
        whole(attributes, "display-levels"),
        whole(attributes, "start-value"),
    )


class Counter:
    """Counts the paragraphs of a list."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def label(self, levels: dict[int, Level], index: int, start: int | None = None) -> str:
        level = levels.get(index)
        if level is None:
            return ""
        known = self._counts.get(index)
        first = level.start if known is None else known + 1
        self._counts[index] = first if start is None else start
        self._counts = {each: count for each, count in self._counts.items() if each <= index}
        numbered = {each: levels[each] for each in range(1, index + 1) if each in levels and levels[each].kind}
        numbers = [formatted(self._counts.get(each, of.start), of.kind) for each, of in numbered.items()]
        return level.label(numbers)
