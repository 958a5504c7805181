"""`--members` and `--member`: single files of the zips that are in the bucket."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from artifact_pipeline.domain.catalog.inventory import ArtifactState, list_artifacts
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import ArtifactMissingError, PipelineError, TargetExistsError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.domain.transfers.read import ResumedReads
from artifact_pipeline.worker.cli.jobs.uploads.members import (
    COLUMNS,
    LISTED_COLUMNS,
    ZIPS,
    MemberDownloads,
    conflict,
    listed_rows,
    outcome_row,
    unreadable_row,
)
from artifact_pipeline.worker.cli.options import Wanted
from artifact_pipeline.worker.cli.output import note, show_rows, why
from artifact_pipeline.worker.composition.operator import adapters
from artifact_pipeline.worker.workspace.stored_zips import StoredZips

_IN_BUCKET = (ArtifactState.STORED, ArtifactState.UNRECORDED, ArtifactState.UNREADABLE)

if TYPE_CHECKING:
    from artifact_pipeline.worker.composition.adapters import Adapters
    from artifact_pipeline.worker.workspace import DownloadDirectory


def list_members(wanted: Wanted, encoding: str | None, *, wide: bool, as_json: bool) -> None:
    """Print what is in the zips. Raises: typer.Exit: one could not be read."""
    using = adapters()
    zips, rows, errors = _zips(using, encoding), [], 0

    def of_one(artifact: Artifact) -> list[dict[str, Any]]:
        return listed_rows(zips, artifact, as_json=as_json)

    for artifact, outcome in for_each(of_one, _artifacts(using, wanted)):
        if isinstance(outcome, PipelineError):
            note(f"artifacts: {why(outcome)}")
            rows.append(unreadable_row(artifact, outcome))
            errors += 1
        else:
            rows.extend(outcome)
    show_rows(rows, as_json=as_json, empty="the zip has no files", brief=LISTED_COLUMNS, wide=wide)
    if errors:
        raise typer.Exit(1)


def download_members(  # noqa: PLR0913 - an argument for each option
    wanted: Wanted,
    patterns: Sequence[str],
    directory: "DownloadDirectory",
    encoding: str | None,
    *,
    replace: bool,
    wide: bool,
    as_json: bool,
) -> None:
    """Fetch the files, and print what became of each.

    Raises:
        TargetExistsError: another file was kept in the place of one.
        ArtifactMissingError: a pattern matches none.
        typer.Exit: one could not be had.
    """
    using = adapters()
    downloads = MemberDownloads(
        zips=_zips(using, encoding), directory=directory, patterns=patterns, replace=replace
    )
    outcomes = downloads(_artifacts(using, wanted))
    rows = [outcome_row(each, as_json=as_json) for each in outcomes]
    if rows:
        show_rows(rows, as_json=as_json, empty="", brief=COLUMNS, wide=wide)
    if line := conflict(outcomes):
        raise TargetExistsError(line)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)
    if downloads.unmatched:
        missing = ", ".join(sorted(downloads.unmatched))
        raise ArtifactMissingError(
            f"--member {missing}: no such file in the zips of job {wanted.job_id}; "
            f"see artifacts jobs uploads list {wanted.job_id} --members"
        )


def _zips(using: "Adapters", encoding: str | None) -> StoredZips:
    reads = ResumedReads(reader=using.reader)
    return StoredZips(locate=using.locate, reads=reads, encoding=encoding)


def _artifacts(using: "Adapters", wanted: Wanted) -> Iterable[Artifact]:
    """Return those that are zips; one that is named costs no LIST."""
    if wanted.kind is not None and wanted.kind not in ZIPS:
        raise typer.BadParameter(f"{wanted.kind} is not a zip: give --kind {' or '.join(ZIPS)}")
    kinds = [kind for kind in ZIPS if _may_have(wanted, kind)]
    if len(kinds) == 1 and kinds[0].belongs_to_run == (wanted.run_id is not None):
        return [Artifact(kinds[0], wanted.job_id, wanted.run_id)]
    found = [
        each.artifact
        for each in list_artifacts(using.locate, using.transfers, wanted.job_id)
        if each.state in _IN_BUCKET
        and each.reason is not ReasonCode.UNKNOWN_RUN
        and each.artifact.kind in kinds
        and wanted.run_id in {None, each.artifact.run_id}
    ]
    if not found:
        raise ArtifactMissingError(f"job {wanted.job_id}: no zip of it is in the store")
    return found


def _may_have(wanted: Wanted, kind: ArtifactKind) -> bool:
    """Return whether what is wanted may have an artifact of this kind."""
    return wanted.kind in {None, kind} and (wanted.run_id is None or kind.belongs_to_run)
