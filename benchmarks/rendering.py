"""The report as tables in the documentation."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.goals import goals_table
from benchmarks.marks import replace_tables


def tables(figures: Sequence[Figure]) -> str:
    """In Markdown, one for each work."""
    return "\n".join(_table(name, list(of_one)) for name, of_one in groupby(figures, _name))


def write_tables(figures: Sequence[Figure], page: Path) -> None:
    """Put them and the goals between the page's marks, in place of those that stand there."""
    replace_tables(page, {"goals": goals_table(figures), "measured": tables(figures)})


def line(figure: Figure) -> str:
    """Return the figure for a terminal."""
    return (
        f"{figure.name}: {figure.ours:,.1f} {figure.unit}, "
        f"{figure.peer_name} {figure.peer:,.1f}: {figure.ratio:.2f}"
    )


def _table(name: str, figures: Sequence[Figure]) -> str:
    rows = [
        f"| {figure.unit} | {figure.ours:,.1f} | {figure.peer_name} | {figure.peer:,.1f} "
        f"| {figure.ratio:.2f} | {'**loses**' if figure.advantage < 1 else ''} |"
        for figure in figures
    ]
    head = [
        "| unit | ours | peer | the peer's | ratio | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([f"**{name}**", "", *head, *rows, ""])


def _name(figure: Figure) -> str:
    return figure.name
