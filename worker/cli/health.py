"""`artifacts health`: health checks for supervisors and orchestrators."""

from enum import StrEnum
from typing import Annotated

import typer

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.cli.lazy import group_app

app = group_app("Health checks for supervisors and orchestrators.")


class UnhealthyError(PipelineError):
    """What was asked about is not as it should be."""


class Part(StrEnum):
    """A part of the deployment, as the diagnosis names it."""

    BROKER = "broker"
    DATABASE = "database"
    BUCKET = "bucket"
    WORKSPACE = "workspace"
    BACKLOG = "backlog"
    """Outstanding requests are done by workers: of the deployment, and not of one worker."""


_WELL = {Part.BACKLOG: "backlog is worked off", Part.WORKSPACE: "workspace is there"}

OnlyOption = Annotated[
    list[Part] | None, typer.Option("--only", help="By default all; repeatable.")
]


@app.command("live")
def live(
    *,
    within: Annotated[float, typer.Option(min=1, help="Seconds since its last sign of life.")] = 60,
) -> None:
    """Check that the worker has looked at its queues just now, or is busy.

    Beside beat: check that beat has sent something. A process that waits at its start for broker,
    database or S3 is alive too, and the answer says what it waits for.
    """
    from artifact_pipeline.worker.lifecycle.signs import seconds_since_sign_of_life  # noqa: PLC0415 - as well
    from artifact_pipeline.worker.settings import LivenessSettings, load  # noqa: PLC0415 - for the help

    path = load(LivenessSettings).liveness_file
    try:
        ago = seconds_since_sign_of_life(path)
        waits_for = path.read_text()
    except OSError:
        raise UnhealthyError(f"no sign of life yet: {path}") from None
    if ago > within:
        since = "since this machine was booted" if ago == float("inf") else f"for {ago:.0f} s"
        raise UnhealthyError(f"no sign of life {since}")
    typer.echo(f"a sign of life {ago:.0f} s ago{waits_for and f'; waits for {waits_for}'}")


@app.command("ready")
def ready(
    *,
    only: OnlyOption = None,
) -> None:
    """Check that broker, database and bucket answer, and that workers handle the backlog.

    If ARTIFACTS_WORKSPACE is set, its marker must be the marker of a workspace of the database.

    The last part, `backlog`, is about the whole deployment. The health check of a single worker
    must leave it out, else a backlog restarts workers that are well: name the other parts.
    """
    # Only here: `live` is run every few seconds, and needs no Celery, no SQL and no S3.
    from artifact_pipeline.worker.diagnosis.readiness import REACH, has_workspace, part_name  # noqa: PLC0415

    for part in only or Part:
        if part is Part.WORKSPACE and not only and not has_workspace():
            continue
        try:
            REACH[part]()
        except PipelineError as error:
            raise UnhealthyError(f"{part_name(part)}: {error or type(error).__name__}") from error
        typer.echo(_WELL.get(part) or f"{part_name(part)} answers")
        if part is Part.BROKER:
            _count_refused()


def _count_refused() -> None:
    """Print the number of refused messages: their senders' fault, no reason for a restart."""
    from artifact_pipeline.worker.diagnosis.readiness import refused_messages  # noqa: PLC0415 - see above

    if count := refused_messages():
        typer.echo(f"{count} messages were refused: artifacts messages list")
