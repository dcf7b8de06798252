"""RTF, as small as it can be."""

from __future__ import annotations

from tests.ingest.made.content import Content

FONTS = r"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset129 B;}{\f2\fcharset204 C;}{\f3\fcharset2 Symbol;}}"
HEAD = rf"{{\rtf1\ansi\ansicpg949\uc1{FONTS}"
STYLES = r"{\stylesheet{\s0 Normal;}{\s1 heading 1;}{\s2\snext0 heading 2;}}"


def escaped(text: str) -> str:
    """Write what is not ASCII as code units, each with a sign for programs without Unicode."""
    units = memoryview(text.encode("utf-16-le")).cast("H")
    return "".join(
        chr(unit) if 32 <= unit < 127 and chr(unit) not in "\\{}" else f"\\u{unit - 65536 * (unit > 32767)}?"
        for unit in units
    )


def document(body: str) -> bytes:
    return f"{HEAD}{STYLES}{body}}}".encode("cp949")


def row(*cells: str, definition: str = "") -> str:
    return (
        rf"\trowd{definition or chr(92).join(['', *(f'cellx{n}' for n, _ in enumerate(cells, 1))])}"
        + "".join(rf"\pard\intbl {cell}\cell" for cell in cells)
        + r"\row "
    )


def rtf(content: Content) -> bytes:
    rows = "".join(row(*map(escaped, each)) for each in content.table)
    title = rf"\pard\s1 {escaped(content.title)}\par\pard "
    return document(f"{title}{escaped(content.sentence)}\\par {rows}\\pard {escaped(content.second)}\\par")
