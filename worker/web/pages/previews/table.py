"""CSV as a table, with a plot of its numeric columns over the first column."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from artifact_pipeline.worker.web.pages.charts import LineChart, line_chart
from artifact_pipeline.worker.web.pages.formats import shortened

ROWS_READ = 20_000
ROWS_SHOWN = 200
COLUMNS_SHOWN = 30
"""Further columns are cut off while the rows are read: a table may be as wide as it is long."""
LINES_DRAWN = 6
_POINTS_DRAWN = 600
_DELIMITERS = ",;\t|"
_LEAST_POINTS = 2
_LONGEST_NUMBER = 400
"""Characters. To convert a longer one can take a time that grows with its square."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. Attributes: `values` are None if one of them is not a number."""

    name: str
    values: Sequence[float | None] | None

    @property
    def is_number(self) -> bool:
        return self.values is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The beginning of a CSV file.

    Attributes:
        rows: the cells of the first rows, as many as columns.
        rows_read: how many were read, at most ROWS_READ.
        more_columns: how many are not shown.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    rows_read: int
    more_columns: int
    chart: LineChart | None


def read_table(text: str, *, is_whole: bool) -> Table | None:
    """Return the table; None if the text is none.

    Args:
        text: of the file, or of its beginning.
        is_whole: whether the text ends with the file; the last line may be cut off otherwise.
    """
    rows = _rows(text)
    if rows and (len(rows) > ROWS_READ or not is_whole):
        rows.pop()
    widest = max((width for _cells, width in rows), default=0)
    if widest < _LEAST_POINTS:
        return None
    header, body = _header([cells for cells, _width in rows], min(widest, COLUMNS_SHOWN))
    body = [[*row, *[""] * (len(header) - len(row))] for row in body]
    columns = [
        Column(name=shortened(name), values=_numbers([row[number] for row in body]))
        for number, name in enumerate(header)
    ]
    return Table(
        columns=columns,
        rows=body[:ROWS_SHOWN],
        rows_read=len(body),
        more_columns=widest - len(columns),
        chart=_chart(columns, [row[0] for row in body]),
    )


def _rows(text: str) -> list[tuple[list[str], int]]:
    """Return the first cells of each row, and how many cells it has."""
    first_line = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    read = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        rows = islice(filter(None, read), ROWS_READ + 1)
        return [(row[:COLUMNS_SHOWN], len(row)) for row in rows]
    except csv.Error:
        return []  # a cell that is too long


def _header(rows: list[list[str]], width: int) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the other rows."""
    first = rows[0]
    if any(_number(cell) is not None for cell in first):
        return [f"column {number}" for number in range(1, width + 1)], rows
    names = [*first, *[""] * (width - len(first))]
    return [name or f"column {number}" for number, name in enumerate(names, start=1)], rows[1:]


def _numbers(cells: Sequence[str]) -> list[float | None] | None:
    given = [cell for cell in cells if cell.strip()]
    if not given or any(_number(cell) is None for cell in given):
        return None
    return [_finite(_number(cell)) for cell in cells]


def _number(cell: str) -> float | None:
    if not 0 < len(cell) <= _LONGEST_NUMBER:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _chart(columns: Sequence[Column], first_cells: Sequence[str]) -> LineChart | None:
    drawn = [column for column in columns[1:] if column.values is not None]
    if not drawn or len(first_cells) < _LEAST_POINTS:
        return None
    across = _across(columns[0], first_cells)
    order = sorted(range(len(across)), key=across.__getitem__)
    order = order[:: math.ceil(len(order) / _POINTS_DRAWN)]
    series = [
        (column.name, [column.values[n] for n in order])
        for column in drawn[:LINES_DRAWN]
        if column.values is not None
    ]
    return line_chart(
        "plot",
        f"Numeric columns over {columns[0].name}",
        [across[n] for n in order],
        series,
        ends=(first_cells[order[0]], first_cells[order[-1]]),
        left_out=len(drawn) - len(series),
    )


def _across(column: Column, cells: Sequence[str]) -> list[float]:
    """Return the horizontal positions: numbers, times, or else the numbers of the rows."""
    if column.values is not None:
        numbers = [value for value in column.values if value is not None]
        if len(numbers) == len(cells):
            return numbers
    times = [_time(cell) for cell in cells]
    known = [time for time in times if time is not None]
    return known if len(known) == len(cells) else [float(n) for n in range(len(cells))]


def _time(cell: str) -> float | None:
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
