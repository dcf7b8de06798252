"""Writes the equations of Office documents (Office Math Markup Language) as LaTeX.

Letters and signs stay as they are in the file: TeX reads Unicode, and so do people who search for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.loading.parsers.ooxml import Attributes

# Parts of an equation that lie deeper are read as their text alone.
MAX_DEPTH = 40
ESCAPES = str.maketrans({each: f"\\{each}" for each in "%#&$_{}"} | {"\\": "\\backslash "})
OPERATORS = {"∑": "\\sum", "∏": "\\prod", "∐": "\\coprod", "∫": "\\int", "∬": "\\iint", "∭": "\\iiint", "∮": "\\oint",
             "⋃": "\\bigcup", "⋂": "\\bigcap", "⋁": "\\bigvee", "⋀": "\\bigwedge"}  # fmt: skip
FUNCTIONS = {
    *(
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "log",
        "ln",
        "lg",
    ),
    *("exp", "lim", "max", "min", "sup", "inf", "det", "dim", "gcd", "ker", "arg", "deg", "Pr"),
}
ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "overline", "\u20d7": "vec", "\u0307": "dot",
           "\u0308": "ddot", "\u030c": "check", "\u0306": "breve", "\u0301": "acute", "\u0300": "grave"}  # fmt: skip
BRACES = {"⏞": "overbrace", "⏟": "underbrace"}
DELIMITERS = {"{": "\\{", "}": "\\}", "‖": "\\|", "⟨": "\\langle ", "⟩": "\\rangle "}


@dataclass(slots=True)
class Node:
    name: str
    value: str = ""
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def child(self, name: str) -> Node | None:
        return next((each for each in self.children if each.name == name), None)

    def of(self, name: str) -> str:
        """Write the child of this name, or nothing."""
        child = self.child(name)
        return latex(child) if child else ""

    def setting(self, name: str, default: str) -> str:
        """Return the value of a property, whichever the group is that holds it."""
        groups = (each for each in self.children if each.name.endswith("Pr"))
        found = next((group.child(name) for group in groups if group.child(name)), None)
        return default if found is None else found.value

    def is_on(self, name: str) -> bool:
        return self.setting(name, "0") not in ("0", "off", "false")


class EquationReader:
    """Collects an equation, whose parts a reader of the document passes on."""

    def __init__(self) -> None:
        self._open = [Node("oMath")]
        self._below = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if len(self._open) > MAX_DEPTH and name != "t":
            self._below += 1
            return
        value = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "val"), "1")
        node = Node(name, value)
        self._open[-1].children.append(node)
        self._open.append(node)

    def text(self, text: str) -> None:
        if self._open[-1].name == "t":
            self._open[-1].text += text

    def end(self, name: str) -> None:
        if self._below and name != "t":
            self._below -= 1
        elif len(self._open) > 1:
            self._open.pop()

    def latex(self) -> str:
        return " ".join(latex(self._open[0]).split())


def latex(node: Node) -> str:
    writer = WRITERS.get(node.name)
    return writer(node) if writer else "".join(map(latex, node.children))


def _run(node: Node) -> str:
    text = "".join(each.text for each in node.children if each.name == "t").translate(ESCAPES)
    return f"\\text{{{text}}}" if node.is_on("nor") and text.strip() else text


def _group(text: str) -> str:
    return text if len(text) == 1 else f"{{{text}}}"


def _scripts(node: Node) -> str:
    return _lower(node.of("sub")) + _upper(node.of("sup"))


def _lower(text: str) -> str:
    return f"_{_group(text)}" if text else ""


def _upper(text: str) -> str:
    return f"^{_group(text)}" if text else ""


def _script(node: Node) -> str:
    inner = node.of("e")
    return (inner if len(inner) == 1 or inner.isalnum() else f"{{{inner}}}") + _scripts(node)


def _fraction(node: Node) -> str:
    top, bottom = node.of("num"), node.of("den")
    match node.setting("type", "bar"):
        case "lin":
            return f"{top}/{bottom}"
        case "noBar":
            return f"\\binom{{{top}}}{{{bottom}}}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _root(node: Node) -> str:
    degree = "" if node.is_on("degHide") else node.of("deg")
    return f"\\sqrt{f'[{degree}]' if degree else ''}{{{node.of('e')}}}"


def _nary(node: Node) -> str:
    sign = node.setting("chr", "∫")
    return f"{OPERATORS.get(sign, sign)}{_scripts(node)} {node.of('e')}"


def _delimited(node: Node) -> str:
    opening, closing = node.setting("begChr", "("), node.setting("endChr", ")")
    inner = node.setting("sepChr", "|").join(latex(each) for each in node.children if each.name == "e")
    if opening and closing:
        return f"{DELIMITERS.get(opening, opening)}{inner}{DELIMITERS.get(closing, closing)}"
    return f"\\left{DELIMITERS.get(opening, opening) or '.'}{inner}\\right{DELIMITERS.get(closing, closing) or '.'}"


def _function(node: Node) -> str:
    name, inner = node.of("fName"), node.of("e")
    letters = name.removeprefix("\\text{").removesuffix("}")
    if letters in FUNCTIONS:
        name = f"\\{letters}"
    elif letters.isalpha() and len(letters) > 1:
        name = f"\\operatorname{{{letters}}}"
    return f"{name} {inner}"


def _limit(node: Node) -> str:
    inner, limit = node.of("e"), node.of("lim")
    inner = f"\\{inner}" if inner in FUNCTIONS else inner
    return inner + (_lower(limit) if node.name == "limLow" else _upper(limit))


def _rows(environment: str, rows: list[str]) -> str:
    lines = " \\\\ ".join(rows)
    return f"\\begin{{{environment}}}{lines}\\end{{{environment}}}"


def _matrix(node: Node) -> str:
    rows = [each.children for each in node.children if each.name == "mr"]
    return _rows("matrix", [" & ".join(latex(cell) for cell in row if cell.name == "e") for row in rows])


def _over(node: Node) -> str:
    command = {
        "acc": ACCENTS.get(node.setting("chr", "\u0302"), "hat"),
        "bar": "overline" if node.setting("pos", "bot") == "top" else "underline",
        "groupChr": BRACES.get(node.setting("chr", "⏟"), "underbrace"),
    }[node.name]
    return f"\\{command}{{{node.of('e')}}}"


WRITERS: dict[str, Callable[[Node], str]] = {
    "r": _run,
    "f": _fraction,
    "sSup": _script,
    "sSub": _script,
    "sSubSup": _script,
    "sPre": lambda node: f"{{}}{_scripts(node)}{node.of('e')}",
    "rad": _root,
    "nary": _nary,
    "d": _delimited,
    "func": _function,
    "limLow": _limit,
    "limUpp": _limit,
    "m": _matrix,
    "eqArr": lambda node: _rows("aligned", [latex(each) for each in node.children if each.name == "e"]),
    "acc": _over,
    "bar": _over,
    "groupChr": _over,
}
