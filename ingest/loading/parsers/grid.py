"""Turns a sheet's rows into paragraphs and pipe tables, as they come: a sheet may have a million."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingest.loading.refusals import UNPACKS_TO_TOO_MUCH

MAX_CHARACTERS = 1 << 28
# Stands between the cells of a row that waits for its table's end; XML cannot hold it.
BETWEEN = "\x1f"
# Cells merged over more rows are names of groups, not headings.
MAX_HEADER = 4
# Rows by which the first column of a table is judged.
SAMPLE = 50

Cells = dict[int, str]


@dataclass(frozen=True, slots=True)
class Merge:
    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Row:
    """The cells in few objects: their columns, which most rows share, and their joined texts."""

    columns: tuple[int, ...]
    texts: str

    def cells(self) -> Cells:
        return dict(zip(self.columns, self.texts.split(BETWEEN), strict=True))


@dataclass(slots=True)
class _Table:
    columns: set[int] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    last: int = 0
    """The number of its last row."""
    header_ends: int = 0
    """The number of the last row of its header: merged cells there are repeated across."""
    numbers: bool = False
    """Whether a row holds numbers."""


class Grid:
    """Receives the rows of a sheet from the top, and the cells merged in it before that."""

    def __init__(self, merges: Iterable[Merge] = ()) -> None:
        self._merges = sorted(merges, key=lambda merge: merge.top, reverse=True)
        self._open: dict[int, tuple[Merge, str]] = {}
        self._shared: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._carried: dict[Merge, str] = {}
        self._blocks: list[str] = []
        self._table: _Table | None = None
        self._characters = 0

    def merge(self, merge: Merge) -> None:
        """Merge cells from the row that is added next."""
        self._merges.append(merge)

    def carry(self, merge: Merge, text: str) -> None:
        """Take the text of merged cells whose first is hidden, for the first that is visible."""
        self._carried[merge] = text.replace("|", "\\|")

    def add(self, number: int, cells: Cells, numbers: bool) -> None:
        """Add a row's cells that hold text, as one line each; `numbers` says whether one of them is a number."""
        own = {column: text.replace("|", "\\|") for column, text in cells.items() if text}
        wide = self._spread(number, own) if self._merges or self._open else {}
        if not own:
            return
        if self._table and number > self._table.last + 1 and self._begins_another(own, numbers):
            self._close()
        if self._table is None and len(own) == 1:
            self._blocks.append(next(iter(own.values())).replace("\\|", "|"))
            self._count(own)
            return
        table = self._table = self._table or _Table(header_ends=self._header_end(number, wide))
        if number <= table.header_ends:
            for merge, text in wide.items():
                own |= dict.fromkeys(range(merge.left, merge.right + 1), text)
        table.numbers |= numbers
        self._keep(table, number, own)

    def pass_over(self, first: int, last: int) -> None:
        """Take hidden rows: what stands below them follows what stands above."""
        if self._table and first == self._table.last + 1:
            self._table.last = last

    def text(self) -> str:
        self._close()
        return "\n\n".join(self._blocks)

    def _count(self, cells: Cells) -> None:
        self._characters += sum(map(len, cells.values()))
        if self._characters > MAX_CHARACTERS:
            raise UNPACKS_TO_TOO_MUCH

    def _keep(self, table: _Table, number: int, own: Cells) -> None:
        self._count(own)
        columns = tuple(sorted(own))
        columns = self._shared.setdefault(columns, columns)
        table.columns.update(columns)
        table.last = number
        table.rows.append(Row(columns, BETWEEN.join(own[column] for column in columns)))

    def _spread(self, number: int, own: Cells) -> dict[Merge, str]:
        """Repeat merged cells down into a row that has something of its own, and return those that span columns."""
        while self._merges and self._merges[-1].top <= number:
            merge = self._merges.pop()
            if merge.bottom >= number:
                text = own.get(merge.left, "") if merge.top == number else ""
                self._open[merge.left] = (merge, self._carried.pop(merge, text))
        wide: dict[Merge, str] = {}
        down: Cells = {}
        for left, (merge, text) in list(self._open.items()):
            if merge.bottom < number:
                del self._open[left]
                continue
            for column in [each for each in own if left <= each <= merge.right]:
                del own[column]
            if text:
                down[left] = text
                if merge.right > left:
                    wide[merge] = text
        # Where all that is there came down from above, the row shows nothing that the rows above do not.
        if own or any(merge.top == number for merge, _ in self._open.values()):
            own |= down
        return wide

    def _begins_another(self, own: Cells, numbers: bool) -> bool:
        """Tell whether the row below an empty one begins another table: a title, or headings over other columns."""
        assert self._table is not None
        return len(own) == 1 or (not numbers and (self._table.numbers or not own.keys() <= self._table.columns))

    def _header_end(self, number: int, wide: dict[Merge, str]) -> int:
        ends = [merge.bottom for merge, _ in self._open.values() if merge.top == number]
        below = number + 1 if any(merge.bottom == number for merge in wide) else number
        return max([below, *(end for end in ends if end < number + MAX_HEADER)])

    def _close(self) -> None:
        if self._table:
            self._blocks.extend(_rendered(self._table))
        self._table = None


def _rendered(table: _Table) -> Iterator[str]:
    for columns in _side_by_side(table):
        plain, lines = tuple(columns), []
        for row in table.rows:
            if row.columns == plain:
                lines.append(f"| {row.texts.replace(BETWEEN, ' | ')} |")
            else:
                cells = row.cells()
                if any(column in cells for column in columns):
                    lines.append(f"| {' | '.join(cells.get(column, '') for column in columns)} |")
        yield "\n".join([lines[0], f"|{' --- |' * len(columns)}", *lines[1:]])


def _side_by_side(table: _Table) -> list[list[int]]:
    """Return the columns of each table: an empty column parts two of them if each could stand alone."""
    runs: list[list[int]] = []
    for column in sorted(table.columns):
        if runs and column == runs[-1][-1] + 1:
            runs[-1].append(column)
        else:
            runs.append([column])
    if len(runs) == 1 or any(len(run) == 1 for run in runs):
        return [sorted(table.columns)]
    sample = [row.cells() for row in table.rows[:SAMPLE]]
    if all(_stands_alone(run, sample, run is runs[0]) for run in runs):
        return runs
    return [sorted(table.columns)]


def _stands_alone(columns: list[int], sample: list[Cells], leftmost: bool) -> bool:
    """Tell whether the columns have headings, and names of rows, unless they begin further down than the others."""
    rows = [at for at, row in enumerate(sample) if any(column in row for column in columns)]
    if not rows:
        return False
    headings = [sample[rows[0]][column] for column in columns if column in sample[rows[0]]]
    if 2 * len(headings) < len(columns) or not all(map(_is_worded, headings)):
        return False
    names = [row[columns[0]] for row in sample[rows[0] + 1 :] if columns[0] in row]
    return leftmost or rows[0] > 0 or 2 * sum(map(_is_worded, names)) > len(names)


def _is_worded(text: str) -> bool:
    return any(map(str.isalpha, text))
