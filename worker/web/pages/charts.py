"""Charts as SVG: positions and labels, which the template `charts.html` draws.

The shapes stretch with the page, so labels stand outside them as HTML. A strict Content Security
Policy forbids style attributes, so a shape has attributes for its place and a class for its colour.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 100
"""The units of the drawing; the page scales them."""
_GAP = 0.2
_LEAST_HEIGHT = 1.5
"""Of a bar that is not zero, so that it can be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """One series over time.

    Attributes:
        name: unique in the page, for the ids that tie the texts to the drawing.
        description: what a screen reader says instead of the drawing.
        tone: the class of the bars.
        top: the label of the largest value.
    """

    name: str
    title: str
    description: str
    tone: str
    bars: Sequence[Bar]
    top: str


@dataclass(frozen=True, slots=True)
class Line:
    """A series as the points of polylines; a missing value breaks the line."""

    name: str
    number: int
    parts: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Several series over one column.

    Attributes:
        bottom, top: the labels of the least and the largest value.
        first, last: the labels of the horizontal axis.
        left_out: how many further series there are.
    """

    name: str
    title: str
    description: str
    lines: Sequence[Line]
    bottom: str
    top: str
    first: str
    last: str
    left_out: int


def bar_chart(  # noqa: PLR0913 - all that is particular to a chart
    name: str,
    title: str,
    values: Sequence[int],
    *,
    labels: Sequence[str],
    shown: Callable[[int], str],
    tone: str,
) -> BarChart:
    """Return bars of equal width.

    Args:
        name: as in `BarChart`.
        title: as in `BarChart`.
        values: not negative.
        labels: of each value, such as the time that it is of.
        shown: returns a value as text.
        tone: as in `BarChart`.
    """
    largest = max(values, default=0)
    slot = WIDTH / max(1, len(values))
    bars = [
        _bar(number, value, largest, slot, f"{label}: {shown(value)}")
        for number, (value, label) in enumerate(zip(values, labels, strict=True))
        if value
    ]
    description = f"{shown(sum(values))} in all, at most {shown(largest)} at once"
    return BarChart(
        name=name, title=title, description=description, tone=tone, bars=bars, top=shown(largest)
    )


def _bar(number: int, value: int, largest: int, slot: float, label: str) -> Bar:
    height = max(_LEAST_HEIGHT, HEIGHT * value / largest)
    x = number * slot + slot * _GAP / 2
    return Bar(_r(x), _r(HEIGHT - height), _r(slot * (1 - _GAP)), _r(height), label)


def line_chart(  # noqa: PLR0913 - all that is particular to a chart
    name: str,
    title: str,
    across: Sequence[float],
    series: Sequence[tuple[str, Sequence[float | None]]],
    *,
    ends: tuple[str, str],
    left_out: int = 0,
) -> LineChart:
    """Return lines on one scale.

    Args:
        name: as in `LineChart`.
        title: as in `LineChart`.
        across: the horizontal position of each value; any numbers.
        series: the name and the values of each.
        ends: the labels of the first and the last position.
        left_out: as in `LineChart`.
    """
    known = [value for _, values in series for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    to_x, to_y = _scale(min(across), max(across), WIDTH), _scale(low, high, HEIGHT)
    xs = [to_x(value) for value in across]
    lines = [
        Line(column, number, _parts(xs, [None if v is None else HEIGHT - to_y(v) for v in values]))
        for number, (column, values) in enumerate(series, start=1)
    ]
    names = ", ".join(column for column, _ in series)
    return LineChart(
        name=name,
        title=title,
        description=f"{names}: from {low:g} to {high:g}",
        lines=lines,
        bottom=f"{low:g}",
        top=f"{high:g}",
        first=ends[0],
        last=ends[1],
        left_out=left_out,
    )


def _scale(low: float, high: float, length: float) -> Callable[[float], float]:
    # Halved before they are subtracted: the difference of two large floats can be infinite.
    span = high / 2 - low / 2
    if not span:
        return lambda _value: length / 2
    return lambda value: (value / 2 - low / 2) / span * length


def _parts(xs: Sequence[float], ys: Sequence[float | None]) -> list[str]:
    """Return the points of each stretch without a gap."""
    parts: list[list[str]] = [[]]
    for x, y in zip(xs, ys, strict=True):
        if y is None:
            parts.append([])
        else:
            parts[-1].append(f"{_r(x)},{_r(y)}")
    # A line needs two points; draw a lone one as a line of no length, which has round ends.
    return [" ".join(part if len(part) > 1 else part * 2) for part in parts if part]


def _r(value: float) -> float:
    return round(value, 1) if math.isfinite(value) else 0.0
