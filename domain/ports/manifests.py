"""What use cases need of the record of manifests."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.manifest import ManifestEntry


class NotYet:
    """The manifest was begun a short time ago."""


@runtime_checkable
class IManifests(Protocol):
    def take_due(
        self, limit: int, *, settled_after: timedelta, ask_again_after: timedelta
    ) -> Sequence[int]:
        """Return the ids of jobs whose manifest must be written, and note that it is asked for.

        Args:
            limit: of the ids.
            settled_after: an artifact that was recorded a shorter time ago is not looked at, so
                that artifacts of one moment are in one manifest.
            ask_again_after: when the message of one that no worker has begun with counts as lost.
        """

    def begin(self, job_id: int, pause: timedelta) -> str | NotYet | None:
        """Return the version of the last manifest, None without one, and let this worker write.

        No other worker may begin before the pause is over; it is `NotYet` for that one.
        """

    def entries(self, job_id: int) -> Sequence[ManifestEntry]:
        """Return what is recorded under the job's id, in the order of listings."""

    def finish(self, job_id: int, version: str | None, entries: Sequence[ManifestEntry]) -> None:
        """Note what the manifest has. An artifact that was recorded since the look stays due.

        Args:
            job_id: of the job.
            version: of what was written; None if there is nothing to write.
            entries: all that was looked at.
        """

    def postpone(self, job_id: int, pause: timedelta) -> None:
        """Let no worker begin before the pause is over, since a write has failed."""
