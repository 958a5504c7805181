"""The use cases that keep a manifest in each job's directory."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from artifact_pipeline.domain.errors import (
    ObjectReplacedError,
    PipelineError,
    SqlUnavailableError,
    UnknownJobError,
)
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.manifest import CONTENT_TYPE, Manifest, ManifestEntry
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.domain.ports.jobs import IJobRepository
from artifact_pipeline.domain.ports.manifests import IManifests, NotYet
from artifact_pipeline.domain.ports.object_store import IObjectStore
from artifact_pipeline.domain.transfers.bytes_upload import BytesSource, Uninterrupted

logger = logging.getLogger(__name__)

PAUSE = timedelta(seconds=30)
"""From one write of a job's manifest to the next one, and from a change to its write."""
_PAUSE_AFTER_A_FAILURE = timedelta(minutes=10)
_JOBS_AT_ONCE = 100
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestManifests:
    """Sends a message for each job whose artifacts have changed.

    Attributes:
        has_room: whether the queue takes more messages.
        ask_again_after: as `IManifests.take_due`.
    """

    manifests: IManifests
    publish: Callable[[Sequence[int]], None]
    has_room: Callable[[], bool]
    ask_again_after: timedelta

    def __call__(self) -> int:
        """Return how many messages were sent: a limited number, since the next run continues."""
        if not self.has_room():
            return 0
        job_ids = self.manifests.take_due(
            _JOBS_AT_ONCE, settled_after=PAUSE, ask_again_after=self.ask_again_after
        )
        if job_ids:
            self.publish(job_ids)
        return len(job_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteManifest:
    """Writes a job's manifest, at most once in `PAUSE`.

    The version to be replaced is known before the records are read. So a worker that was slow
    cannot replace a manifest that was made of newer records: the store refuses its write.

    Attributes: `written_by` as `Manifest`.
    """

    manifests: IManifests
    jobs: IJobRepository
    store: IObjectStore
    written_by: str

    def __call__(self, job_id: int) -> bool:
        """Return whether it was written; else there was no need, or it was not time.

        Raises:
            ObjectReplacedError: others write it all the time.
            StoreUnavailableError, SqlUnavailableError: the dispatch asks for it again.
        """
        version = self.manifests.begin(job_id, PAUSE)
        if isinstance(version, NotYet):
            return False
        try:
            return self._write(job_id, version)
        except PipelineError:
            with suppress(SqlUnavailableError):
                self.manifests.postpone(job_id, _PAUSE_AFTER_A_FAILURE)
            raise

    def _write(self, job_id: int, version: str | None) -> bool:
        for _ in range(_TRIES):
            entries = self.manifests.entries(job_id)
            manifest = self._manifest(job_id, entries)
            if manifest is None:
                self.manifests.finish(job_id, version, entries)
                return False
            try:
                written = self._put(manifest, version)
            except ObjectReplacedError:
                # The store has another manifest than SQL knows, as of a worker that was killed
                # before it noted its write. The records are read again after this look.
                version = self.store.version(manifest.prefix.manifest_key)
                continue
            self.manifests.finish(job_id, written, entries)
            return True
        raise ObjectReplacedError(f"the manifest of job {job_id} was replaced during each write")

    def _manifest(self, job_id: int, entries: Sequence[ManifestEntry]) -> Manifest | None:
        """Return what is to be written; None if nothing of this job is recorded."""
        try:
            prefix = JobS3Prefix.from_job(self.jobs.get(job_id))
        except UnknownJobError:
            return None
        ownership = Ownership(prefix=prefix, rows=lambda: [each.stored for each in entries])
        own = [each for each in entries if ownership.owns_row(each.stored)]
        return Manifest(prefix=prefix, entries=own, written_by=self.written_by) if own else None

    def _put(self, manifest: Manifest, version: str | None) -> str:
        stored = self.store.put(
            manifest.prefix.manifest_key,
            BytesSource(manifest.content()),
            content_type=CONTENT_TYPE,
            metadata=manifest.metadata,
            precondition=replacing(version),
            progress=Uninterrupted(),
        )
        return stored.version
