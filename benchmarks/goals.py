"""The ratios that the pipeline aims at, and whether the report reaches them."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure, Unit

_HEAD = ["| work | peer | unit | goal | reached | |", "| --- | --- | --- | --- | --- | --- |"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio to a peer: at least so much of a rate, at most so much of anything else."""

    name: str
    peer_name: str
    ratio: float
    unit: Unit

    def is_met_by(self, figure: Figure) -> bool:
        """Return whether the ratio is reached."""
        if self.unit.is_rate:
            return figure.ratio >= self.ratio
        return figure.ratio <= self.ratio

    def figure_in(self, figures: Sequence[Figure]) -> Figure:
        """Return the figure that the goal is about. Raises: LookupError: it was not measured."""
        for figure in figures:
            if (figure.name, figure.peer_name, figure.unit) == (
                self.name,
                self.peer_name,
                self.unit,
            ):
                return figure
        raise LookupError(f"{self.name}, {self.peer_name}: not in the report")


_FEW = "ours with 1,000"

GOALS = [
    Goal("2,000 small uploads, requested to recorded", "naive", 2.5, Unit.UPLOADS),
    Goal("a backlog of 5,000 small uploads, drained", "naive", 3, Unit.UPLOADS),
    Goal("500 small uploads drained, S3 20 ms away", "naive", 6, Unit.UPLOADS),
    Goal("500 small uploads drained, each server 2 ms away", "naive", 5, Unit.UPLOADS),
    Goal("1,000 run configs of one job, requested to recorded", "s5cmd", 1, Unit.UPLOADS),
    *(Goal("1 GiB up", peer, 1, Unit.SPEED) for peer in ("naive", "boto3", "s5cmd")),
    Goal("1 GiB down", "boto3", 1, Unit.SPEED),
    Goal("1 GiB down", "s5cmd, then sync", 0.95, Unit.SPEED),
    Goal("1 GiB of results in 2,000 files", "zipfile at our level 1, then s5cmd", 2, Unit.SPEED),
    Goal("publishing 5,000 requests, 100 new jobs a commit", "naive", 5, Unit.REQUESTS),
    Goal("publishing 1,000 requests, one new job a commit", "naive", 1, Unit.REQUESTS),
    *(
        goal
        for rows in (1_000_000, 10_000_000)
        for goal in (
            Goal(f"claims, one by one, with {rows:,} outstanding", _FEW, 0.97, Unit.CLAIMS),
            Goal(
                f"pages of uploads claimed and recorded, with {rows:,} outstanding",
                _FEW,
                0.97,
                Unit.RECORDS,
            ),
            Goal(f"dispatch of a page, with {rows:,} outstanding", _FEW, 0.97, Unit.REQUESTS),
        )
    ),
]


def goals_table(figures: Sequence[Figure]) -> str:
    """Return a table in Markdown: each goal, and what the report has of it."""
    return "\n".join([*_HEAD, *(_row(goal, figures) for goal in GOALS), ""])


def _row(goal: Goal, figures: Sequence[Figure]) -> str:
    bound = "≥" if goal.unit.is_rate else "≤"
    try:
        figure = goal.figure_in(figures)
    except LookupError:
        reached, verdict = "", "not measured"
    else:
        reached = f"{figure.ratio:.2f}"
        verdict = "met" if goal.is_met_by(figure) else "**not met**"
    cells = (goal.name, goal.peer_name, goal.unit, f"{bound} {goal.ratio:g}", reached, verdict)
    return f"| {' | '.join(cells)} |"
