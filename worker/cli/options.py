"""Options and arguments that several commands take."""

from dataclasses import dataclass
from typing import Annotated

import typer

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind

ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor", metavar="USER", help="Who does it; by default the user and host of this command."
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
JobArgument = Annotated[
    int | None, typer.Argument(metavar="JOB_ID", min=1, max=MAX_ID, help="The job's id.")
]
JobIdOption = Annotated[
    int | None, typer.Option("--job-id", min=1, max=MAX_ID, help="The same, as an option.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
KindOption = Annotated[ArtifactKind | None, typer.Option("--kind", help="Only this kind.")]
OneKindOption = Annotated[ArtifactKind, typer.Option("--kind", help="The artifact's kind.")]
KindsOption = Annotated[
    list[ArtifactKind] | None,
    typer.Option("--kind", metavar="KIND", help="Only this kind; repeatable."),
]
ReasonOption = Annotated[
    str | None,
    typer.Option("--reason", metavar="TEXT", help="Why; `artifacts history` shows it."),
]
OnlyDatabaseOption = Annotated[
    bool,
    typer.Option(
        "--only-database",
        help="No other database has jobs in this bucket: delete also copies that no row names.",
    ),
]
RunIdOption = Annotated[
    int | None, typer.Option("--run-id", min=1, max=MAX_ID, help="One of its runs.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="SECONDS", help="Wait no longer than this."),
]
WideOption = Annotated[bool, typer.Option("--wide", help="Show all columns, and cut nothing.")]


JobsArgument = Annotated[
    list[int] | None,
    typer.Argument(metavar="JOB_ID", min=1, max=MAX_ID, help="Only these jobs."),
]
JobsOption = Annotated[
    list[int] | None,
    typer.Option("--job-id", min=1, max=MAX_ID, help="The same, as an option; repeatable."),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The artifacts of a job that a command is about; None is all of them."""

    job_id: int
    run_id: int | None = None
    kind: ArtifactKind | None = None


def the_job(argument: int | None, option: int | None) -> int:
    """Return the job's id, which is given as an argument or by `--job-id`."""
    chosen = optional_job(argument, option)
    if chosen is None:
        raise typer.BadParameter("the job's id is missing: give JOB_ID, such as 12")
    return chosen


def optional_job(argument: int | None, option: int | None) -> int | None:
    """Return the job's id, or None if it is not given at all."""
    if argument is not None and option is not None and argument != option:
        raise typer.BadParameter(
            f"JOB_ID is {argument} and --job-id is {option}: give only one of them"
        )
    return option if argument is None else argument


def refuse_dry_run_with_yes(*, dry_run: bool, yes: bool) -> None:
    """Refuse to be told both to show something and to do it."""
    if dry_run and yes:
        raise typer.BadParameter("--dry-run only shows it and --yes does it: give one of them")


def chosen_jobs(arguments: list[int] | None, options: list[int] | None) -> set[int]:
    """Return the ids of jobs that are given as arguments or by `--job-id`; empty without any."""
    given, as_options = set(arguments or ()), set(options or ())
    if given and as_options and given != as_options:
        raise typer.BadParameter(
            f"JOB_ID is {_listed(given)} and --job-id is {_listed(as_options)}: "
            "give only one of them"
        )
    return given or as_options


def _listed(ids: set[int]) -> str:
    return ", ".join(map(str, sorted(ids)))


def the_artifact(
    argument: int | None, option: int | None, run_id: int | None, kind: ArtifactKind
) -> Artifact:
    """Return the one artifact that is named by a kind, a job and perhaps a run."""
    job_id = the_job(argument, option)
    refuse_run_of_job_kind(run_id, kind)
    if kind.belongs_to_run and run_id is None:
        raise typer.BadParameter(f"{kind} belongs to a run: give --run-id")
    return Artifact(kind, job_id, run_id)


def refuse_run_of_job_kind(run_id: int | None, kind: ArtifactKind | None) -> None:
    """Raise BadParameter: a run has no artifact of a kind that belongs to its job."""
    if kind is not None and run_id is not None and not kind.belongs_to_run:
        raise typer.BadParameter(f"{kind} belongs to the job: leave --run-id out")


def refuse_timeout_alone(timeout: float | None, option: str, *, waits: bool) -> None:
    """Raise BadParameter for a time-out without the option that it limits."""
    if timeout is not None and not waits:
        raise typer.BadParameter(f"--timeout {timeout:g} limits {option}: give that too")
