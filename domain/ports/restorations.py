"""Restoring archived objects, and the record of it."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.model.restorations import Restoration, RestoreSpeed


@runtime_checkable
class IObjectRestorer(Protocol):
    def check_supported(self) -> None:
        """Refuse if the store has no tier to restore from. Raises: UnsupportedByStoreError."""

    def restore(self, there: BucketObject, *, days: int, speed: RestoreSpeed) -> None:
        """Ask for a readable copy of the archived object, and do not wait for it.

        A restore that is under way continues, and a restored copy is kept for so many days from
        now. The object itself stays in its tier.

        Raises:
            UnsupportedByStoreError: the store cannot restore.
            ObjectReplacedError: the object is gone.
        """


@runtime_checkable
class IRestorations(Protocol):
    """What is recorded of restores, for artifacts with a row."""

    def of_job(self, job_id: int) -> Mapping[Artifact, Restoration]:
        """Return the job's artifacts that were asked to be restored."""

    def record(self, artifact: Artifact, there: BucketObject, now: Restoration) -> bool:
        """Keep it if the artifact's row is of just this object; return whether it is."""
