"""`artifacts jobs uploads relocate`: old artifacts to where the job's creation time puts them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.catalog.delete_old_copies import DeleteOldCopies, OldCopy
from artifact_pipeline.domain.catalog.shifted import ShiftedArtifacts
from artifact_pipeline.domain.each import outcome_of, until_unavailable, up_to_failure
from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, UnreadableArtifact
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.domain.model.transfers import Direction, TransferState, TransferSummary
from artifact_pipeline.domain.transfers.relocate import plan_relocations
from artifact_pipeline.worker.cli.jobs.uploads.all_jobs import all_jobs, watched
from artifact_pipeline.worker.cli.options import (
    DryRunOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    OnlyDatabaseOption,
    ReasonOption,
    WideOption,
    optional_job,
    refuse_dry_run_with_yes,
)
from artifact_pipeline.worker.cli.output import Size, note, show_rows, where, why
from artifact_pipeline.worker.composition.operator import adapters, audited

if TYPE_CHECKING:
    from artifact_pipeline.worker.composition.adapters import Adapters

_MAX_HOURS = 26
"""Two time zones are at most this far apart."""

_COLUMNS = ("job_id", "kind", "outcome", "run_id", "error", "from", "size")

_CHANGES = ("copied", "deleted")
"""Outcomes that the audit trail notes with their job."""

AllOption = Annotated[bool, typer.Option("--all", help="Artifacts of every job.")]
DeleteOldOption = Annotated[
    bool, typer.Option("--delete-old", help="Then delete the copies elsewhere that are the same.")
]
FromShiftedOption = Annotated[
    float | None,
    typer.Option(
        "--from-shifted",
        metavar="HOURS",
        help="Only what is recorded in a directory so many hours off, such as -4 or 5.5.",
    ),
]
YesOption = Annotated[
    bool, typer.Option("--yes", help="With --from-shifted: do it, instead of showing it.")
]


def relocate(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    every: AllOption = False,
    dry_run: DryRunOption = False,
    delete_old: DeleteOldOption = False,
    only_database: OnlyDatabaseOption = False,
    from_shifted: FromShiftedOption = None,
    yes: YesOption = False,
    reason: ReasonOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Copy what an old rule put elsewhere to the job's one directory, verify it and record it.

    The old objects stay, and their URLs keep working, unless --delete-old is given. That keeps
    as uncertain what may be a later job's of another database, unless --only-database is given
    too. What was interrupted continues when it is requested again. The exit status is 1 if anything
    failed.

    With --from-shifted it copies what an earlier version stored some hours off, and only shows it
    unless --yes is given.
    """
    asked = optional_job(job, job_id)
    if (asked is None) is not every:
        raise typer.BadParameter("give --job-id, or --all for every job")
    if only_database and not delete_old:
        raise typer.BadParameter("--only-database needs --delete-old: give both")
    offset = _offset(from_shifted, dry_run=dry_run, yes=yes)
    is_preview = dry_run or (offset is not None and not yes)
    using = adapters()
    delete = DeleteOldCopies(
        locate=using.locate,
        copier=using.copier,
        is_only_database=only_database,
        holds=using.legal_holds,
    )
    relocation = _Relocation(
        using,
        dry_run=is_preview,
        delete_old=delete if delete_old else None,
        shifted=None if offset is None else ShiftedArtifacts(locate=using.locate, offset=offset),
    )
    if is_preview:
        done, failure = relocation.chosen(asked)
    else:
        about = {"delete_old": delete_old, "from_shifted": from_shifted}
        with audited(ActionName.RELOCATE, reason=reason, job_id=asked, target=about) as action:
            done, failure = relocation.chosen(asked)
            action.touches({each.job_id for each in done if each.outcome in _CHANGES})
            changed = sum(each.outcome in _CHANGES for each in done)
            is_partial = failure is not None or any(each.has_failed for each in done)
            action.came_to(f"{changed} copied or deleted", has_failures=is_partial)
    in_place = "every artifact is in its job's directory"
    empty = in_place if offset is None else _nothing_shifted(from_shifted)
    rows = [each.row() for each in done]
    if rows or failure is None:
        show_rows(rows, as_json=as_json, empty=empty, brief=_COLUMNS, wide=wide)
    if failure is not None:
        raise failure
    if offset is not None and is_preview and done:
        note("nothing was changed; give --yes to copy and record these artifacts")
    if any(each.has_failed for each in done):
        raise typer.Exit(1)


def _offset(hours: float | None, *, dry_run: bool, yes: bool) -> timedelta | None:
    if hours is None:
        if yes:
            raise typer.BadParameter("--yes needs --from-shifted: give both")
        return None
    refuse_dry_run_with_yes(dry_run=dry_run, yes=yes)
    if not 0 < abs(hours) <= _MAX_HOURS or not (hours * 60).is_integer():
        raise typer.BadParameter(
            f"--from-shifted {hours:g}: give hours from -{_MAX_HOURS} to {_MAX_HOURS} except 0, "
            "in whole minutes, such as -4 or 5.5"
        )
    return timedelta(minutes=hours * 60)


def _nothing_shifted(hours: float | None) -> str:
    return f"no artifact is recorded in a directory {hours:+g} hours off"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What became of an artifact, or of a job that cannot be looked at."""

    job_id: int
    outcome: str
    artifact: Artifact | None = None
    address: ObjectAddress | None = None
    size: int | None = None
    error: str | None = None

    @property
    def has_failed(self) -> bool:
        return self.outcome == "failed"

    def row(self) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "kind": self.artifact and self.artifact.kind,
            "run_id": self.artifact and self.artifact.run_id,
            "size": None if self.size is None else Size(self.size),
            "from": self.address and where(self.address),
            "outcome": self.outcome,
            "error": self.error,
        }


class _Relocation:
    def __init__(
        self,
        using: "Adapters",
        *,
        dry_run: bool,
        delete_old: DeleteOldCopies | None,
        shifted: ShiftedArtifacts | None,
    ) -> None:
        # A worker, which would make the next attempt, does not know the offset.
        self._run = using.runner(lambda _: using.relocate(shifted), retries=shifted is None)
        self._using = using
        self._locate = using.locate
        self._delete_old = delete_old
        self._dry_run = dry_run
        self._shifted = shifted

    def chosen(self, job_id: int | None) -> tuple[list[_Done], PipelineError | None]:
        """Return what became of this job or of all jobs, and the error that ended it."""
        if job_id is None:
            return up_to_failure(self.of_jobs(watched(all_jobs(self._using.jobs))))
        return up_to_failure(self.of_job(job_id))

    def of_jobs(self, job_ids: Iterable[int]) -> Iterator[_Done]:
        """Yield what became of each job, however many of them fail.

        Raises:
            StoreUnavailableError, SqlUnavailableError: job after job has failed so.
        """
        jobs = ((job_id, *up_to_failure(self.of_job(job_id))) for job_id in job_ids)
        looks = (((job_id, rows), failure) for job_id, rows, failure in jobs)
        for (job_id, rows), failure in until_unavailable(looks):
            yield from rows
            if failure is not None:
                yield _Done(job_id=job_id, outcome="failed", error=why(failure))

    def of_job(self, job_id: int) -> Iterator[_Done]:
        planned, unreadable = plan_relocations(job_id, self._locate, self._shifted)
        yield from map(_unreadable, unreadable)
        if self._dry_run:
            yield from map(self._previewed, planned)
            return
        artifacts = (found.artifact for found in planned)
        outcomes = self._run.each(artifacts, Direction.RELOCATE)
        yield from map(_copied, planned, outcomes)
        if self._delete_old is not None:
            yield from map(_deleted, self._old_copies(self._delete_old, job_id, planned))

    def _previewed(self, found: FoundArtifact) -> _Done:
        # The usual places were looked at; of a directory that is off, only the rows were.
        if self._shifted is not None:
            look = outcome_of(partial(self._shifted.find, found.artifact))
            if isinstance(look, PipelineError):
                return _done(found, "failed", str(look))
        return _done(found, "would be copied")

    def _old_copies(
        self, delete_old: DeleteOldCopies, job_id: int, planned: list[FoundArtifact]
    ) -> list[OldCopy]:
        if self._shifted is None:
            return delete_old(job_id, planned)
        # Delete old copies of an earlier call too, whose rows name the new ones by now.
        moved = [*planned, *self._shifted.left_behind(job_id)]
        return delete_old(job_id, moved, self._shifted.directory(job_id))


def _copied(found: FoundArtifact, outcome: TransferSummary | PipelineError) -> _Done:
    if isinstance(outcome, PipelineError):
        return _done(found, "failed", str(outcome))
    if outcome.state is not TransferState.DONE:
        # Another process is at it, or it waits for its next attempt.
        return _done(found, outcome.state.value)
    return _done(found, "copied")


def _deleted(copy: OldCopy) -> _Done:
    outcome = "deleted" if copy.kept_for is None else "kept"
    return _of(copy.artifact, copy.object, "failed" if copy.failure else outcome, copy.kept_for)


def _done(found: FoundArtifact, outcome: str, error: str | None = None) -> _Done:
    return _of(found.artifact, found.object, outcome, error)


def _of(artifact: Artifact, existing: BucketObject, outcome: str, error: str | None) -> _Done:
    return _Done(
        job_id=artifact.job_id,
        outcome=outcome,
        artifact=artifact,
        address=existing.address,
        size=existing.size,
        error=error,
    )


def _unreadable(look: UnreadableArtifact) -> _Done:
    return _Done(
        job_id=look.artifact.job_id,
        outcome="failed",
        artifact=look.artifact,
        address=look.address,
        error=str(look.error),
    )
