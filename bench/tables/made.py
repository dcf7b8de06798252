"""Documents with tables, made as HTML in several layouts and both languages, with what must be read from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from random import Random

from bench.tables.grid import Cell, Covered

WORDS = {
    "en": (
        "boat", "lamp", "rope", "pier", "gate", "bell", "tide", "crew", "oar", "sail", "keel", "hook", "net", "buoy",
        "raft", "mast", "ferry", "harbour", "island", "channel",
    ),
    "ko": (
        "배", "등불", "밧줄", "부두", "문", "종", "물때", "선원", "노", "돛", "용골", "갈고리", "그물", "부표", "뗏목",
        "돛대", "나룻배", "항구", "외딴섬", "물길",
    ),
}  # fmt: skip
VERBS = {
    "en": ("is dried", "is painted", "is counted", "is kept dry", "is lent", "is washed", "is tied up", "is lit"),
    "ko": ("말린다", "칠한다", "세어 둔다", "잘 간수한다", "빌려준다", "씻어 둔다", "매어 둔다", "밝혀 둔다"),
}
WHEN = {
    "en": ("each evening", "before the bell", "in the first week of May", "after rain", "by the second crew"),
    "ko": ("저녁마다", "종이 울리기 전에", "오월 첫째 주에", "비가 온 뒤에", "둘째 조가"),
}
FONTS = [
    "Noto Sans CJK KR",
    "Noto Serif CJK KR",
    "DejaVu Sans, Noto Sans CJK KR",
    "Liberation Serif, Noto Serif CJK KR",
]
PAGE = "@page {{ size: A4; margin: {margin}mm; {boxes} }} body {{ font: {size}pt {font}; line-height: {line} }}"
TABLE = (
    "table {{ border-collapse: collapse; margin: 4mm 0 }}"
    " td, th {{ padding: {pad}; text-align: left; vertical-align: top }}"
)


@dataclass(frozen=True, slots=True)
class Made:
    name: str
    html: str
    tables: list[list[list[Cell]]]
    words: str


class _Writer:
    def __init__(self, language: str, seed: int) -> None:
        self.language = language
        self.random = Random(f"{language} {seed}")
        self.body: list[str] = []
        self.words: list[str] = []
        self.tables: list[list[list[Cell]]] = []

    def word(self) -> str:
        return self.random.choice(WORDS[self.language])

    def sentence(self) -> str:
        noun, other, verb = self.word(), self.word(), self.random.choice(VERBS[self.language])
        when = self.random.choice(WHEN[self.language])
        if self.language == "ko":
            return f"{noun}와 {other}는 {when} {verb}."
        return f"The {noun} of the {other} {verb} {when}."

    def number(self) -> str:
        kind = self.random.randrange(4)
        plain = self.random.randint(1, 9_999)
        return [f"{plain:,}", f"{plain / 100:.2f}", f"{plain % 100}%", f"{plain:,}"][kind]

    def paragraph(self, sentences: int) -> None:
        text = " ".join(self.sentence() for _ in range(sentences))
        self.body.append(f"<p>{escape(text)}</p>")
        self.words.append(text)

    def heading(self) -> None:
        text = f"{self.random.randint(1, 9)}. {self.word()} {self.word()}".title()
        self.body.append(f"<h2>{escape(text)}</h2>")
        self.words.append(text)

    def rows(self, rows: int, columns: int, *, long: bool = False) -> list[list[str]]:
        header = [f"{self.word()} {number + 1}" for number in range(columns)]
        body = [
            [f"{self.word()} {self.random.randint(1, 99)}", *(self._value() for _ in range(columns - 1))]
            for _ in range(rows)
        ]
        if long:
            place = self.random.randrange(1, columns)
            header[place] = self.word()
            for row in body:
                row[place] = self.sentence()
        return [header, *body]

    def _value(self) -> str:
        return "" if self.random.random() < 0.2 else self.number()

    def table(self, rows: list[list[str]], *, style: str = "", cell: str = "") -> None:
        head, *body = rows
        width = f"style='width: {self.random.randint(60, 100)}%;{style}'"
        first = "".join(f"<th style='{cell}'>{escape(text)}</th>" for text in head)
        rest = "".join(
            f"<tr>{''.join(f'<td style={chr(34)}{cell}{chr(34)}>{escape(text)}</td>' for text in row)}</tr>"
            for row in body
        )
        self.body.append(f"<table {width}><thead><tr>{first}</tr></thead><tbody>{rest}</tbody></table>")
        self._keep([list(row) for row in rows])

    def _keep(self, grid: list[list[Cell]]) -> None:
        self.tables.append(grid)
        self.words.extend(cell for row in grid for cell in row if isinstance(cell, str))

    def merged(self, groups: int) -> None:
        """Write two rows of header, the first merged over pairs of columns, and groups of rows under one first cell."""
        pairs = self.random.randint(1, 2)
        names = [self.word() for _ in range(pairs)]
        top: list[Cell] = [self.word()]
        below: list[Cell] = [Covered(str(top[0]))]
        html = [f"<tr><th rowspan=2>{top[0]}</th>{''.join(f'<th colspan=2>{name}</th>' for name in names)}</tr><tr>"]
        for name in names:
            top += [name, Covered(name)]
            both = [f"{self.word()} {place}" for place in (1, 2)]
            below += both
            html.extend(f"<th>{each}</th>" for each in both)
        grid = [top, below]
        for _ in range(groups):
            label, height = f"{self.word()} {self.random.randint(1, 99)}", self.random.randint(1, 3)
            for number in range(height):
                values = [self._value() for _ in range(2 * pairs)]
                grid.append([Covered(label) if number else label, *values])
                first = "" if number else f"<td rowspan={height}>{label}</td>"
                html.append(f"</tr><tr>{first}{''.join(f'<td>{value}</td>' for value in values)}")
        self.body.append(f"<table style='width: 90%'>{''.join(html)}</tr></table>")
        self._keep(grid)


def _ruled(writer: _Writer) -> str:
    writer.paragraph(3)
    writer.table(writer.rows(writer.random.randint(4, 12), writer.random.randint(3, 6)))
    writer.paragraph(2)
    writer.table(writer.rows(writer.random.randint(3, 6), 3, long=True))
    return "td, th {{ border: {}pt solid black }}".format(writer.random.choice(["0.3", "0.75", "1.5"]))


def _unruled(writer: _Writer) -> str:
    writer.paragraph(3)
    writer.table(writer.rows(writer.random.randint(4, 12), writer.random.randint(3, 6)))
    writer.paragraph(3)
    return "td:not(:first-child), th:not(:first-child) {{ text-align: {} }}".format(
        writer.random.choice(["right", "left"])
    )


def _merged(writer: _Writer) -> str:
    writer.paragraph(2)
    writer.merged(writer.random.randint(3, 6))
    writer.paragraph(2)
    return "td, th {{ border: 0.75pt solid {} }}".format(writer.random.choice(["black", "#777"]))


def _columns(writer: _Writer) -> str:
    writer.body.append("<div class=two>")
    for _ in range(3):
        writer.heading()
        writer.paragraph(6)
    writer.table(writer.rows(4, 3))
    for _ in range(3):
        writer.paragraph(7)
    writer.body.append("</div>")
    justified = writer.random.choice(["justify", "left"])
    return f"td, th {{ border: 0.75pt solid black }} .two {{ columns: 2; column-gap: 9mm; text-align: {justified} }}"


def _pages(writer: _Writer) -> str:
    writer.paragraph(3)
    writer.table(writer.rows(writer.random.randint(60, 90), 4))
    writer.paragraph(3)
    return "td, th { border: 0.75pt solid black }"


def _open(writer: _Writer) -> str:
    """Lines only across, or no lines at the left and right."""
    writer.paragraph(2)
    writer.table(writer.rows(writer.random.randint(4, 10), writer.random.randint(3, 5)))
    writer.paragraph(2)
    return writer.random.choice([
        "table { border-top: 1.5pt solid; border-bottom: 1.5pt solid } th { border-bottom: 0.75pt solid }",
        "td, th { border: 0.75pt solid black } td:first-child, th:first-child { border-left: 0 }"
        "td:last-child, th:last-child { border-right: 0 }",
        "tr { border-bottom: 0.5pt solid #999 }",
    ])  # fmt: skip


def _wrapped(writer: _Writer) -> str:
    """No lines, and cells of several lines: only the distance tells rows apart."""
    writer.paragraph(2)
    writer.table(writer.rows(writer.random.randint(4, 7), 3, long=True))
    writer.paragraph(2)
    return "td, th { padding-bottom: 3mm } table { table-layout: fixed }"


def _outer(writer: _Writer) -> str:
    """A box, lines down, and one below the header, but none between rows."""
    writer.paragraph(2)
    writer.table(writer.rows(writer.random.randint(4, 10), writer.random.randint(3, 5)))
    writer.paragraph(2)
    return "table, th { border: 0.75pt solid black } td { border-left: 0.75pt solid black }"


def _beside(writer: _Writer) -> str:
    """Two tables side by side."""
    lines = writer.random.choice(["0.75pt solid black", "0"])
    writer.paragraph(2)
    for side in ("left", "right"):
        writer.body.append(f"<div class={side}>")
        writer.table(writer.rows(writer.random.randint(4, 7), 3))
        writer.body.append("</div>")
    return f"td, th {{ border: {lines} }} .left {{ float: left; width: 45% }} .right {{ float: right; width: 45% }}"


def _form(writer: _Writer) -> str:
    """A form: labels and values in turns, some over several columns."""
    writer.heading()
    grid: list[list[Cell]] = []
    html = []
    for number in range(writer.random.randint(3, 6)):
        labels = [f"{writer.word()} {number}{place}" for place in "ab"]
        if writer.random.random() < 0.4:
            text = writer.sentence()
            grid.append([labels[0], text, Covered(text), Covered(text)])
            html.append(f"<tr><td>{labels[0]}</td><td colspan=3>{text}</td></tr>")
        else:
            row = [labels[0], writer._value(), labels[1], writer._value()]
            grid.append(list(row))
            html.append(f"<tr>{''.join(f'<td>{each}</td>' for each in row)}</tr>")
    writer.body.append(f"<table style='width: 100%'>{''.join(html)}</table>")
    writer._keep(grid)
    writer.paragraph(2)
    return "td { border: 0.75pt solid black }"


LAYOUTS: dict[str, Callable[[_Writer], str]] = {
    "ruled": _ruled, "unruled": _unruled, "merged": _merged, "columns": _columns, "pages": _pages, "open": _open,
    "wrapped": _wrapped, "outer": _outer, "beside": _beside, "form": _form,
}  # fmt: skip


def made(seeds: range) -> Iterator[Made]:
    for layout, write in LAYOUTS.items():
        for language in WORDS:
            for seed in seeds:
                writer = _Writer(language, seed)
                css = write(writer)
                yield Made(
                    f"{layout}-{language}-{seed}",
                    _document(writer, css, layout),
                    writer.tables,
                    "\n".join(writer.words),
                )


def _document(writer: _Writer, css: str, layout: str) -> str:
    random = writer.random
    boxes = f"@top-left {{ content: '{writer.word()} 9' }} @bottom-center {{ content: '- ' counter(page) ' -' }}"
    style = PAGE.format(
        margin=random.choice([18, 22, 26]),
        boxes=boxes if layout == "pages" else "",
        size=random.choice([9, 10, 11]),
        font=random.choice(FONTS),
        line=random.choice([1.2, 1.4, 1.6]),
    ) + TABLE.format(pad=random.choice(["1mm 2mm", "0.5mm 2mm", "1.5mm 3mm"]))
    return f"<meta charset=utf-8><style>{style} {css}</style><body>{''.join(writer.body)}</body>"
