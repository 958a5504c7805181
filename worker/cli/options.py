"""Options that several commands take."""

from typing import Annotated

import typer

from domain.artifacts import ArtifactKind
from domain.jobs import MAX_ID

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
JobIdOption = Annotated[int, typer.Option("--job-id", min=1, max=MAX_ID, help="The job's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
KindOption = Annotated[ArtifactKind | None, typer.Option("--kind", help="Only this kind.")]
RunIdOption = Annotated[
    int | None, typer.Option("--run-id", min=1, max=MAX_ID, help="One of its runs.")
]


def refuse_run_of_job_kind(run_id: int | None, kind: ArtifactKind | None) -> None:
    """A run has no artifact of a kind that belongs to its job."""
    if kind is not None and run_id is not None and not kind.belongs_to_run:
        raise typer.BadParameter(f"{kind} belongs to the job: leave --run-id out")
