"""The curves of the model, with what was measured, as pictures in the documentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks.scaling.draining import Moment
from benchmarks.scaling.model import Point

_COLOURS = ("#2a7f62", "#b3452c", "#3b5b92")


def draw_throughput(
    curves: Mapping[str, Sequence[Point]],
    measured: Sequence[tuple[float, float]],
    limits: Mapping[str, float],
    picture: Path,
) -> None:
    """Draw uploads per second by processes: the model's curves, measured points, tiers' limits."""
    canvas, axes = _canvas("worker processes", "small uploads per second")
    for (name, points), colour in zip(curves.items(), _COLOURS, strict=False):
        numbers, rates = [p.processes for p in points], [p.rate for p in points]
        axes.plot(numbers, rates, color=colour, label=name)
    for name, rate in limits.items():
        axes.axhline(rate, color="grey", linewidth=0.6, linestyle=":")
        axes.annotate(name, (1, rate), fontsize=7, color="grey", va="bottom")
    axes.plot(*zip(*measured, strict=True), "o", color="black", label="measured, S3 far away")
    axes.set_xscale("log")
    axes.set_yscale("log")
    _save(canvas, axes, picture)


def draw_queues(points: Sequence[Point], picture: Path) -> None:
    """Draw how many processes are at each tier at a time."""
    canvas, axes = _canvas("worker processes", "processes at the tier, on average")
    numbers = [point.processes for point in points]
    for name, colour in zip(points[0].at_tier, _COLOURS, strict=True):
        axes.plot(numbers, [p.at_tier[name] for p in points], color=colour, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.01)
    _save(canvas, axes, picture)


def draw_drain(drains: Mapping[str, Sequence[Moment]], picture: Path) -> None:
    """Draw what is left of a backlog by hours."""
    canvas, axes = _canvas("hours", "millions of uploads that are left")
    for (name, moments), colour in zip(drains.items(), _COLOURS, strict=False):
        every = max(len(moments) // 500, 1)
        seen = [*moments[::every], moments[-1]]
        hours = [moment.seconds / 3600 for moment in seen]
        axes.plot(hours, [m.backlog / 1e6 for m in seen], color=colour, label=name)
    _save(canvas, axes, picture)


def _canvas(x: str, y: str) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(7, 4), layout="constrained")
    axes: Axes = canvas.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return canvas, axes


def _save(canvas: Canvas, axes: Axes, picture: Path) -> None:
    axes.legend(fontsize=8)
    # No date and no random ids, so that the same figures give the same picture.
    canvas.savefig(picture, metadata={"Date": None})
