"""Verdicts on a job's artifacts, and what is said of each."""

from dataclasses import dataclass, replace
from enum import StrEnum

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress


class Verdict(StrEnum):
    OK = "ok"
    """The recorded bytes are under the artifact's key."""
    MISSING = "missing"
    """A row says that it is stored, and nothing is there."""
    CHANGED = "changed"
    """Another object, or other bytes, are where the row says."""
    MISPLACED = "misplaced"
    """An object of the job lies elsewhere than under its key, such as in an old path."""
    UNRECORDED = "unrecorded"
    """It is under its key, and no row says so."""
    FOREIGN = "foreign"
    """It belongs to another job with this id, or has a name that no artifact has."""
    ORPHANED = "orphaned"
    """It is under the id of a job that does not exist. Only an audit finds it."""
    ABANDONED = "abandoned"
    """Its upload began, or was requested, and no worker continues it. Only an audit finds it."""
    UNREADABLE = "unreadable"
    """The store refuses the look, so nothing can be said."""
    PENDING = "pending"
    """It differs from its row, and an active transfer is about to change one of the two."""

    @property
    def is_fault(self) -> bool:
        """Return whether it needs an operator: a transfer in flight settles what is pending."""
        return self not in (Verdict.OK, Verdict.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedArtifact:
    """What was found out about an artifact, or about an object that is none.

    Attributes:
        artifact: None for an object whose name no artifact has.
        object: as the store has it, or as its row has it if the store has nothing.
        error: what differs, or the error of the look.
    """

    verdict: Verdict
    address: ObjectAddress
    artifact: Artifact | None = None
    object: BucketObject | None = None
    error: str | None = None


def pending(verified: VerifiedArtifact) -> VerifiedArtifact:
    """Return what a transfer will settle, as pending. What is lost or elsewhere stays so."""
    if verified.verdict not in (Verdict.CHANGED, Verdict.UNRECORDED):
        return verified
    why = "a transfer of it is active: verify again once that has ended"
    return replace(verified, verdict=Verdict.PENDING, error=why)


def unreadable(
    address: ObjectAddress, artifact: Artifact | None, error: PipelineError
) -> VerifiedArtifact:
    """Return what cannot be looked at, with the error of the look."""
    return VerifiedArtifact(
        verdict=Verdict.UNREADABLE, address=address, artifact=artifact, error=str(error)
    )


def foreign(existing: BucketObject, artifact: Artifact | None) -> VerifiedArtifact:
    """Return an object that is none of the job's, with the reason."""
    said = "no artifact has this name" if artifact is None else "of another job with this id"
    return without_row(existing, artifact, Verdict.FOREIGN, said)


def without_row(
    existing: BucketObject, artifact: Artifact | None, verdict: Verdict, error: str
) -> VerifiedArtifact:
    """Return an object that no row of the job names."""
    return VerifiedArtifact(
        verdict=verdict, address=existing.address, artifact=artifact, object=existing, error=error
    )
