"""The rule that tells jobs apart that have, or had, the same id."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from artifact_pipeline.domain.model.artifacts import Scheme, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix, directory_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Tells the keys of a job from keys of other jobs with its id.

    SQLite uses ids again, and so does a restored database, or a second one on the same bucket. The
    key alone decides, without any clock: a job's directory is named after its creation time, and
    the old rule named a path after the time of an upload, which is never earlier. A path with a
    later time may be either, so where no row names it `JobObjects` looks at the objects.

    Attributes:
        prefix: of the job.
        rows: returns what is recorded under its id; called only for a time after its creation.
    """

    prefix: JobS3Prefix
    rows: Callable[[], Iterable[StoredArtifact]]

    def owns_row(self, stored: StoredArtifact) -> bool:
        """Return whether a row is about this job's artifact."""
        if stored.scheme is Scheme.PREFIX:
            return stored.object.key.startswith(self.prefix.directory)
        return self.owns(stored.object.key)

    def owns(self, key: str) -> bool:
        """Return whether key and rows allow that an object is this job's."""
        time = directory_time(self.prefix.job_id, key)
        if time is None or time == self.prefix.created_at:
            return True
        return time > self.prefix.created_at and not self._is_of_a_later_job(key)

    def is_uncertain(self, key: str) -> bool:
        """Return whether an object that may be this job's may as well be a later job's."""
        time = directory_time(self.prefix.job_id, key)
        if time is None or time <= self.prefix.created_at or not self.owns(key):
            return False
        return all(stored.object.key != key for stored in self.rows())

    def _is_of_a_later_job(self, key: str) -> bool:
        # The old rule's paths look like the directory of a job that was created later. If a row
        # says that it is such a job's, everything in it belongs to that job.
        time = directory_time(self.prefix.job_id, key)
        return any(
            stored.scheme is Scheme.PREFIX
            and directory_time(self.prefix.job_id, stored.object.key) == time
            for stored in self.rows()
        )
