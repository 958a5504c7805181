"""What there is of a job: in the bucket, in SQL, or only asked for."""

from dataclasses import dataclass
from enum import StrEnum

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.errors import ReasonCode, TransferError
from artifact_pipeline.domain.model.artifacts import Artifact, listing_order
from artifact_pipeline.domain.model.earlier_transfers import is_of_job
from artifact_pipeline.domain.model.found_artifacts import (
    FoundArtifact,
    FoundBy,
    JobContents,
    UnreadableArtifact,
)
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.ports.transfers import ITransferRepository


class ArtifactState(StrEnum):
    STORED = "stored"
    UNRECORDED = "unrecorded"
    """It is in the bucket, and no row says so: an old one, or one by an upload URL."""
    MISSING = "missing"
    """A row says that it is stored, and it is not in the bucket."""
    REQUESTED = "requested"
    RUNNING = "running"
    WAITING = "waiting"
    QUARANTINED = "quarantined"
    UNREADABLE = "unreadable"
    """The store refuses to describe it, as an object that a client's own key encrypts."""
    FOREIGN = "foreign"
    """It is in the bucket, and belongs to another job that has, or had, this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedArtifact:
    """An artifact of a job.

    Attributes:
        reason: why its last transfer waits or was given up, while the artifact is nowhere; or
            `unknown_run` for what is in the bucket of a run that the job does not have.
        unreadable: the look that failed.
        workspace: the name of the one that its last transfer needs, while the artifact is nowhere.
    """

    artifact: Artifact
    state: ArtifactState
    found: FoundArtifact | None = None
    reason: ReasonCode | None = None
    unreadable: UnreadableArtifact | None = None
    workspace: str | None = None


_BRINGS_IT = (Direction.UPLOAD, Direction.CONFIRM)
_NOT_THERE_YET = {
    TransferState.REQUESTED: ArtifactState.REQUESTED,
    TransferState.RUNNING: ArtifactState.RUNNING,
    TransferState.WAITING: ArtifactState.WAITING,
    TransferState.QUARANTINED: ArtifactState.QUARANTINED,
}


def list_artifacts(
    locate: LocateArtifacts, transfers: ITransferRepository, job_id: int
) -> list[ListedArtifact]:
    """Return every artifact under the job's id, foreign ones last, for one LIST.

    Raises:
        UnknownJobError: there is no such job.
    """
    contents = locate.contents(job_id)
    found = {each.artifact: each for each in contents.found}
    latest = {
        transfer.artifact: transfer
        for transfer in transfers.of_job(job_id)
        if transfer.direction in _BRINGS_IT
        and is_of_job(transfer, contents.created_at, contents.foreign_rows)
    }
    unreadable = {each.artifact: each for each in contents.unreadable}
    artifacts = {*found, *contents.recorded, *latest, *unreadable}

    def listed_one(artifact: Artifact) -> ListedArtifact | None:
        if artifact in found:
            return _in_bucket(found[artifact], contents)
        if artifact in unreadable:
            return _unreadable(unreadable[artifact])
        return _not_in_bucket(artifact, contents, latest.get(artifact))

    listed = map(listed_one, sorted(artifacts, key=listing_order))
    foreign = [
        ListedArtifact(artifact=each.artifact, state=ArtifactState.FOREIGN, found=each)
        for each in contents.foreign
    ]
    return [*filter(None, listed), *foreign]


def _in_bucket(found: FoundArtifact, contents: JobContents) -> ListedArtifact:
    is_stored = found.found_by is FoundBy.ROW
    return ListedArtifact(
        artifact=found.artifact,
        state=ArtifactState.STORED if is_stored else ArtifactState.UNRECORDED,
        found=found,
        reason=ReasonCode.UNKNOWN_RUN if contents.is_of_unknown_run(found.artifact) else None,
    )


def _unreadable(look: UnreadableArtifact) -> ListedArtifact:
    return ListedArtifact(
        artifact=look.artifact,
        state=ArtifactState.UNREADABLE,
        reason=look.error.reason if isinstance(look.error, TransferError) else None,
        unreadable=look,
    )


def _not_in_bucket(
    artifact: Artifact, contents: JobContents, latest: Transfer | None
) -> ListedArtifact | None:
    if artifact in contents.recorded:
        return ListedArtifact(artifact=artifact, state=ArtifactState.MISSING)
    asked = _NOT_THERE_YET.get(latest.state) if latest else None
    if latest is None or asked is None:
        return None
    return ListedArtifact(
        artifact=artifact, state=asked, reason=latest.reason_code, workspace=latest.workspace
    )
