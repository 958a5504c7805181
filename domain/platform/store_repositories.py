"""The platform's repositories of uploads and results, on the ports of any store."""

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

from artifact_pipeline.domain.catalog.located_uploads import LocatedUploads
from artifact_pipeline.domain.errors import ObjectReplacedError, TransferError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredObject
from artifact_pipeline.domain.model.keys import JobS3Prefix, PlatformPrefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.domain.platform.repository_shapes import ResultsUploads, UploadLocations
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.object_store import IObjectStore
from artifact_pipeline.domain.ports.platform import SentResults
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.domain.transfers.bytes_upload import BytesSource, Uninterrupted

logger = logging.getLogger(__name__)

_TRIES = 3


class StoredUploadLocations(UploadLocations):
    """Uploads that are found by their locations.

    Args:
        uploads: finds and archives them.
        now: the clock that ages go by.
    """

    def __init__(self, uploads: LocatedUploads, now: Callable[[], datetime]) -> None:
        self._uploads = uploads
        self._now = now

    def recording_in(self, artifacts: IArtifactRepository) -> Self:
        """Return the same repository, whose archive of URLs also updates the rows of artifacts."""
        recording = copy(self)
        recording._uploads = replace(self._uploads, artifacts=artifacts)  # noqa: SLF001 - its own
        return recording

    @property
    def _located(self) -> LocatedUploads:
        return self._uploads

    def _read_clock(self) -> datetime:
        return self._now()


class StoredResults(ResultsUploads):
    """Results that are stored without a worker.

    Args:
        store: where they go.
        pack: makes the zip of a directory with results.
    """

    def __init__(self, store: IObjectStore, pack: Callable[[Artifact, Path], Source]) -> None:
        self._store = store
        self._pack = pack

    def _send(self, run_id: int, results_dir: Path, s3_prefix: PlatformPrefix) -> SentResults:
        prefix = JobS3Prefix.of(s3_prefix)
        artifact = Artifact(ArtifactKind.RUN_RESULTS, prefix.job_id, run_id)
        source = self._pack(artifact, results_dir)
        stored = self._put(artifact, prefix, source)
        return SentResults(
            object=stored,
            location=self._store.location(stored.key),
            links_left_out=source.links_left_out,
        )

    def _send_zip(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
        stored = self._put(artifact, JobS3Prefix.of(s3_prefix), BytesSource(zip_content))
        return self._store.location(stored.key)

    def _put(self, artifact: Artifact, prefix: JobS3Prefix, source: Source) -> StoredObject:
        key, progress = prefix.key(artifact), Uninterrupted()
        put = partial(
            self._store.put,
            key,
            source,
            content_type=artifact.kind.content_type,
            metadata=artifact.metadata,
            progress=progress,
        )
        try:
            for _ in range(_TRIES - 1):
                try:
                    return put(precondition=replacing(self._store.version(key)))
                except ObjectReplacedError:
                    continue
            return put(precondition=replacing(self._store.version(key)))
        except BaseException:
            # No other attempt continues it.
            if progress.upload_id is not None:
                self._abort(key, progress.upload_id)
            raise

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self._store.abort(key, upload_id)
        except TransferError as error:
            # The caller must see why the upload failed. The next reconcile aborts it.
            logger.warning("the parts of an upload are still there: %s", error)
