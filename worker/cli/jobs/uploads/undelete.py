"""`artifacts jobs uploads undelete`: take uploads of deleted artifacts again."""

from collections.abc import Sequence

import typer

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.domain.model.tombstones import DeletionScope, Tombstone
from artifact_pipeline.worker.cli.options import (
    ActorOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    KindOption,
    ReasonOption,
    RunIdOption,
    refuse_run_of_job_kind,
    the_job,
)
from artifact_pipeline.worker.cli.output import print_json, say
from artifact_pipeline.worker.composition.operator import audited, database


def undelete(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    reason: ReasonOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take uploads of deleted artifacts again; what was deleted stays deleted.

    It takes back deletions of the job, or only those of a run or of a kind. Then request the
    uploads again. The exit status is 1 if nothing of it was deleted.
    """
    asked, why = the_job(job, job_id), action_reason(reason)
    refuse_run_of_job_kind(run_id, kind)
    sql = database()
    directory = sql.placement.prefix_of(asked).directory
    scope = DeletionScope(job_id=asked, directory=directory, run_id=run_id, kind=kind)
    about = {"run_id": run_id, "kind": kind}
    with audited(
        ActionName.UNDELETE, actor=actor, reason=why, job_id=asked, target=about
    ) as action:
        _refuse_wider(scope, sql.tombstones.of_job(asked))
        lifted = sql.tombstones.lift(scope)
        action.came_to(f"deletions taken back: {lifted}")
    if as_json:
        print_json({"job_id": asked, "lifted": lifted})
    else:
        say(f"deletions of job {asked} undone: {lifted}")
    if not lifted:
        raise typer.Exit(1)


def _refuse_wider(scope: DeletionScope, tombstones: Sequence[Tombstone]) -> None:
    """Raise the error if a wider deletion would keep what is to be taken back deleted."""
    wider = [each for each in tombstones if each.includes(scope) and not scope.includes(each)]
    if wider:
        raise InvalidRequestError(
            f"{scope}: it was deleted with {wider[0]}, which can only be undone as a whole:"
            f" give {_options(wider[0].run_id, wider[0].kind)}"
        )


def _options(run_id: int | None, kind: ArtifactKind | None) -> str:
    named = (("--run-id", run_id), ("--kind", kind))
    given = [f"{option} {value}" for option, value in named if value is not None]
    return " ".join(given) or "neither --run-id nor --kind"
