"""What an attempt that succeeded has to record.

A handler returns one of these and writes nothing about the transfer itself, so its outcome can be
recorded right away, or later together with the outcomes of other attempts.
"""

from dataclasses import dataclass

from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.locations import UploadLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The artifact is in the bucket: record it, tell the platform, and end the transfer."""

    stored: StoredArtifact
    location: UploadLocation

    @property
    def size(self) -> int:
        return self.stored.object.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """An object that another program put there is read: record it, and end the transfer.

    Attributes:
        known: what was recorded before the object was read. If it has changed since, recording
            fails.
    """

    stored: StoredArtifact
    location: UploadLocation
    known: StoredArtifact | None

    @property
    def size(self) -> int:
        return self.stored.object.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Nothing is new in the bucket: only end the transfer.

    Attributes:
        size: of the artifact.
        bytes_fetched: by this attempt.
    """

    size: int
    bytes_fetched: int = 0


Outcome = Stored | Adopted | Finished
