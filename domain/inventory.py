"""What there is of a job: in the bucket, in SQL, or only asked for."""

from dataclasses import dataclass
from enum import StrEnum

from domain.artifacts import Artifact
from domain.errors import ReasonCode
from domain.found import FoundArtifact, FoundBy
from domain.locate import LocateArtifacts
from domain.ports import ITransferRepository
from domain.transfers import Direction, Transfer, TransferState


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedArtifact:
    """An artifact of a job.

    Attributes:
        reason: why its last transfer waits or was given up, while the artifact is nowhere.
    """

    artifact: Artifact
    state: ArtifactState
    found: FoundArtifact | None = None
    reason: ReasonCode | None = None


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
    """Every artifact of the job, for one LIST. Raises: UnknownJobError."""
    found = {each.artifact: each for each in locate.of_job(job_id)}
    recorded = {stored.artifact for stored in locate.artifacts.of_job(job_id)}
    latest = {
        transfer.artifact: transfer
        for transfer in transfers.of_job(job_id)
        if transfer.direction in _BRINGS_IT
    }
    listed = [
        _listed(artifact, found.get(artifact), artifact in recorded, latest.get(artifact))
        for artifact in {*found, *recorded, *latest}
    ]
    there = [each for each in listed if each is not None]
    return sorted(there, key=lambda each: (each.artifact.run_id or 0, each.artifact.kind))


def _listed(
    artifact: Artifact,
    found: FoundArtifact | None,
    is_recorded: bool,  # noqa: FBT001 - what SQL says of it
    latest: Transfer | None,
) -> ListedArtifact | None:
    if found is not None:
        is_stored = found.found_by is FoundBy.ROW
        state = ArtifactState.STORED if is_stored else ArtifactState.UNRECORDED
        return ListedArtifact(artifact=artifact, state=state, found=found)
    if is_recorded:
        return ListedArtifact(artifact=artifact, state=ArtifactState.MISSING)
    asked = _NOT_THERE_YET.get(latest.state) if latest else None
    if latest is None or asked is None:
        return None
    return ListedArtifact(artifact=artifact, state=asked, reason=latest.reason_code)
