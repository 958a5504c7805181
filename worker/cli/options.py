"""Options that several commands take."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from domain.artifacts import ArtifactKind
from domain.errors import ReasonCode
from domain.jobs import MAX_ID

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36_500)

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
JobIdOption = Annotated[int, typer.Option("--job-id", min=1, max=MAX_ID, help="The job's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
KindOption = Annotated[ArtifactKind | None, typer.Option("--kind", help="Only this kind.")]
ReasonOption = Annotated[
    list[ReasonCode] | None,
    typer.Option("--reason", metavar="REASON", help="Only this, as `list` shows it; repeatable."),
]
RunIdOption = Annotated[
    int | None, typer.Option("--run-id", min=1, max=MAX_ID, help="One of its runs.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="SECONDS", help="Wait no longer than this."),
]


def parse_age(text: str) -> timedelta:
    """Read an age such as `90m`."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    age = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else _LONGEST * 2
    if age > _LONGEST:
        raise typer.BadParameter(f"{text}: use a number with s, m, h or d, such as 90m or 7d")
    return age


def refuse_run_of_job_kind(run_id: int | None, kind: ArtifactKind | None) -> None:
    """A run has no artifact of a kind that belongs to its job."""
    if kind is not None and run_id is not None and not kind.belongs_to_run:
        raise typer.BadParameter(f"{kind} belongs to the job: leave --run-id out")


def refuse_timeout_alone(timeout: float | None, option: str, *, waits: bool) -> None:
    """Refuse a time-out without anything that it limits."""
    if timeout is not None and not waits:
        raise typer.BadParameter(f"--timeout {timeout:g}: give {option} too")
