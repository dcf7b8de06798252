"""Collects paragraphs and tables in reading order, and renders tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    cells: dict[tuple[int, int], list[Block]] = field(default_factory=dict)

    @property
    def columns(self) -> list[int]:
        return sorted({column for _, column in self.cells})

    def in_order(self) -> list[list[Block]]:
        return [self.cells[place] for place in sorted(self.cells)]


Block = str | Table


class Flow:
    """Collects what a reader finds: each cell is opened, filled with paragraphs and tables, and closed at its place."""

    def __init__(self) -> None:
        self._open: list[list[Block]] = [[]]
        self._tables: list[Table] = []

    def paragraph(self, text: str) -> None:
        if stripped := text.strip():
            self._open[-1].append(stripped)

    def open_table(self) -> None:
        self._tables.append(Table())

    def open_cell(self) -> None:
        self._open.append([])

    def close_cell(self, row: int, column: int) -> None:
        blocks = self._open.pop()
        self._tables[-1].cells.setdefault((row, column), []).extend(blocks)

    def close_table(self) -> None:
        self._open[-1].append(self._tables.pop())

    def text(self) -> str:
        return "\n\n".join(_rendered(self._open[0]))


def _rendered(blocks: Sequence[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, str):
            lines.append(block)
        elif len(block.columns) <= 1:
            # A frame around text, as Korean forms have many.
            lines.extend(line for cell in block.in_order() for line in _rendered(cell))
        elif markdown := _markdown(block):
            lines.append(markdown)
    return lines


def _markdown(table: Table) -> str:
    columns = table.columns
    rows = [
        [_inline(table.cells.get((row, column), [])).replace("|", "\\|") for column in columns]
        for row in sorted({row for row, _ in table.cells})
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows if any(row)]
    return "\n".join([lines[0], f"|{' --- |' * len(columns)}", *lines[1:]]) if lines else ""


def _inline(blocks: Sequence[Block]) -> str:
    """Render a cell as one line, whatever it holds."""
    parts = (block if isinstance(block, str) else " ".join(map(_inline, block.in_order())) for block in blocks)
    return " ".join(" ".join(parts).split())
