"""Writes the equations of OpenDocument files (MathML) as LaTeX, their letters and signs as they are."""

from __future__ import annotations

from ingest.loading.parsers.xml_tree import Node

ESCAPES = str.maketrans({each: f"\\{each}" for each in "%#&$_{}"} | {"\\": "\\backslash "})
OPERATORS = {"∑": "\\sum", "∏": "\\prod", "∫": "\\int", "∬": "\\iint", "∮": "\\oint", "⋃": "\\bigcup", "⋂": "\\bigcap"}
LETTERS = {"mi", "mn", "mo", "ms"}


def latex(node: Node) -> str:
    parts = [latex(each) for each in node if each.name not in ("annotation", "annotation-xml")]
    match node.name, parts:
        case "mtext", _:
            return f"\\text{{{node.text.translate(ESCAPES)}}}" if node.text.strip() else " "
        case "mfrac", [top, bottom]:
            return f"\\frac{{{top}}}{{{bottom}}}"
        case "msup" | "mover", [inner, raised]:
            return inner + _script("^", raised)
        case "msub" | "munder", [inner, lowered]:
            return inner + _script("_", lowered)
        case "msubsup" | "munderover", [inner, lowered, raised]:
            return inner + _script("_", lowered) + _script("^", raised)
        case "msqrt", _:
            return f"\\sqrt{{{''.join(parts)}}}"
        case "mroot", [inner, degree]:
            return f"\\sqrt[{degree}]{{{inner}}}"
        case "mtr", _:
            return " & ".join(parts)
        case "mtable", _:
            lines = " \\\\ ".join(parts)
            return f"\\begin{{matrix}}{lines}\\end{{matrix}}"
    return _letters(node) if node.name in LETTERS else "".join(parts)


def _letters(node: Node) -> str:
    text = node.text.strip()
    return OPERATORS.get(text) or text.translate(ESCAPES)


def _script(sign: str, text: str) -> str:
    return f"{sign}{text if len(text) == 1 else f'{{{text}}}'}"
