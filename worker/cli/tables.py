"""Tables that fit the terminal: few columns, and what is long is cut in the middle."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

from artifact_pipeline.worker.cli.output import plain

# A pipe has no edge, and what reads it needs the whole of every cell.
_NO_EDGE = 10_000
_GAP = 2
# A cell that is cut keeps so much, so that its beginning and its end can be told.
_LEAST = 16
_ADDRESSES = {"location", "path"}
"""Columns of addresses, which are mostly in one directory."""
_HEADINGS = {
    "at": "time",
    "by": "user",
    "detail": "details",
    "for_example": "example",
    "from": "old location",
    "links_left_out": "skipped links",
    "prefix": "directory",
    "until": "readable until",
    "what": "action",
}
"""Headings of columns whose key in JSON says too little; all others show their key."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as text.

    Attributes:
        rank: its importance, 0 for the most important.
        is_number: numbers are aligned to the right.
        is_elastic: its cells may be cut; an id, a moment or a word would lose its meaning.
    """

    name: str
    cells: tuple[str, ...]
    rank: int
    is_number: bool
    is_elastic: bool

    @property
    def header(self) -> str:
        return _HEADINGS.get(self.name, self.name.replace("_", " "))

    @property
    def width(self) -> int:
        return max(cell_len(cell) for cell in (self.header, *self.cells))

    @property
    def least(self) -> int:
        return (
            min(self.width, max(_LEAST, cell_len(self.header))) if self.is_elastic else self.width
        )


def print_table(rows: Sequence[Mapping[str, object]], *, brief: Sequence[str], wide: bool) -> None:
    """Print the rows: those columns that fit, or all of them if there is no edge."""
    console = Console()
    has_edge = not wide and (console.is_terminal or bool(os.environ.get("COLUMNS")))
    if not has_edge:
        console = Console(width=_NO_EDGE)
    shown = (brief or tuple(rows[0])) if has_edge else tuple(rows[0])
    columns = [
        _column(name, [row[name] for row in rows], shown.index(name))
        for name in rows[0]
        if name in shown
    ]
    if has_edge and _total([column.width for column in columns]) > console.width:
        columns = _without_directory(columns, console)
    console.print(_Fitted(columns))


def _without_directory(columns: Sequence[_Column], console: Console) -> list[_Column]:
    """Print the directory of most addresses above the table, which then shows only the rest.

    An address that is cut in the middle names nothing that could be copied.
    """
    shorter = []
    for column in columns:
        directories = Counter(cell[: cell.rfind("/") + 1] for cell in column.cells)
        directory = max(directories, key=lambda each: directories[each])
        if column.name in _ADDRESSES and directory:
            console.print(Text(f"{column.header}: {directory}\n"), soft_wrap=True)
            cells = tuple(cell.removeprefix(directory) or "./" for cell in column.cells)
            shorter.append(replace(column, cells=cells))
        else:
            shorter.append(column)
    return shorter


class TextTable:
    """A table of texts for a view of several: it shows the columns that fit where it is printed.

    Args:
        names: of the columns; all but the first are numbers, aligned to the right.
        brief: the most important columns first; by default they are in their order.
        elastic: columns of text, which may be cut in the middle.
    """

    def __init__(self, *names: str, brief: Sequence[str] = (), elastic: Sequence[str] = ()) -> None:
        self._names = names
        self._rank = (*brief, *(name for name in names if name not in brief)).index
        self._elastic = elastic
        self._rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        self._rows.append(cells)

    def __rich__(self) -> "_Fitted":
        return _Fitted([self._column(position) for position in range(len(self._names))])

    def _column(self, position: int) -> _Column:
        name = self._names[position]
        is_elastic = name in self._elastic
        return _Column(
            name,
            tuple(row[position] for row in self._rows),
            self._rank(name),
            is_number=position > 0 and not is_elastic,
            is_elastic=is_elastic,
        )


class _Fitted:
    """Shows only the columns that fit the width at which they are rendered."""

    def __init__(self, columns: Sequence[_Column]) -> None:
        self._columns = columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        mark = "…" if console.encoding.startswith("utf") else "..."
        width = options.max_width
        yield _table(_fitting(self._columns, width), width, mark)


def _column(name: str, values: Sequence[object], rank: int) -> _Column:
    present = [value for value in values if value is not None]
    return _Column(
        name,
        tuple("-" if value is None else plain(value) for value in values),
        rank,
        is_number=bool(present) and all(map(_is_number, present)),
        is_elastic=not all(_is_rigid(value) for value in present),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | timedelta) and not isinstance(value, bool)


def _is_rigid(value: object) -> bool:
    return isinstance(value, int | float | timedelta | datetime | Enum)


def _fitting(columns: Sequence[_Column], width: int) -> list[_Column]:
    """Leave the least important out, until the rest has room for what each needs at least."""
    fitting = list(columns)
    while len(fitting) > 1 and _total([column.least for column in fitting]) > width:
        fitting.remove(max(fitting, key=lambda column: column.rank))
    return fitting


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """Return the width of each: the widest elastic ones give way first."""
    widths = [column.width for column in columns]
    while _total(widths) > width:
        spare = [w - column.least for w, column in zip(widths, columns, strict=True)]
        if not any(spare):
            break
        widest = max((w, i) for i, w in enumerate(widths) if spare[i])[1]
        widths[widest] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _table(columns: Sequence[_Column], width: int, mark: str) -> Table:
    headers = [
        Column(column.header, justify="right" if column.is_number else "left", no_wrap=True)
        for column in columns
    ]
    table = Table(*headers, box=None, pad_edge=False)
    cut = [
        [cut_middle(cell, to, mark) for cell in column.cells]
        for column, to in zip(columns, _widths(columns, width), strict=True)
    ]
    for cells in zip(*cut, strict=True):
        # Use Text: in a string Rich would take a text in brackets for markup.
        table.add_row(*map(Text, cells))
    return table


def cut_middle(text: str, width: int, mark: str = "…") -> str:
    """Return the text cut to the width: its beginning and its end, of a path its whole last name.

    Line breaks and control characters, which would break the table, are blanks.
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    if cell_len(line) <= width:
        return line
    room = width - cell_len(mark)
    last = line[line.rfind("/", 0, -1) :]
    if "/" in line and cell_len(last) < room:
        head = _head(line, room - cell_len(last))
        return f"{head[: head.rfind('/') + 1] or head}{mark}{last}"
    end = _head(line[::-1], room - room // 2)[::-1]
    return f"{_head(line, room // 2)}{mark}{end}"


def _head(text: str, width: int) -> str:
    """Return as much of the beginning as the width has room for; some characters take two."""
    while cell_len(text) > width:
        text = text[:-1]
    return text
