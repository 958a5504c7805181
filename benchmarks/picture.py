"""The report as a picture in the documentation."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.figures import Figure

_BETTER, _WORSE = "#2a7f62", "#b3452c"
_ROW_INCHES = 0.26
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10)


def draw(figures: Sequence[Figure], picture: Path) -> None:
    """How many times as good as each peer, on a scale where twice and half are as far from 1."""
    canvas = Canvas(figsize=(10, 1 + _ROW_INCHES * len(figures)), layout="constrained")
    axes = canvas.subplots()
    labels = [f"{figure.name}: {figure.unit}, against {figure.peer_name}" for figure in figures]
    advantages = [figure.advantage for figure in figures]
    colours = [_BETTER if advantage >= 1 else _WORSE for advantage in advantages]
    widths = [advantage - 1 for advantage in advantages]
    bars = axes.barh(range(len(figures)), widths, left=1, color=colours)
    axes.bar_label(bars, [f"{advantage:.2f}" for advantage in advantages], padding=3, fontsize=7)
    axes.set_yticks(range(len(figures)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("times as good as the peer: right of 1 we win, left of it we lose")
    axes.margins(x=0.15, y=0.01)
    # No date, so that the same figures give the same picture.
    canvas.savefig(picture, metadata={"Date": None})
