"""What repositories of uploads and of results have in common: they are called in two shapes.

An adapter says how its bucket is reached; which call is meant, and what it does, is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, overload

from artifact_pipeline.domain.catalog.located_uploads import LocatedUploads, is_located
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import ArtifactMissingError, InvalidRequestError, PipelineError
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact
from artifact_pipeline.domain.model.job_uploads import JobUpload, PlatformUpload
from artifact_pipeline.domain.model.keys import JobS3Prefix, PlatformPrefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.minimum_age import age_of
from artifact_pipeline.domain.model.preconditions import Replace
from artifact_pipeline.domain.platform.call_shapes import either
from artifact_pipeline.domain.ports.platform import ArchiveSummary, SentResults

_SMALL = 16 * 2**20


class UploadLocations(ABC):
    """Reads and archives uploads, named by their URLs or as artifacts that were found."""

    __slots__ = ()

    @property
    @abstractmethod
    def _located(self) -> LocatedUploads:
        """The bucket."""

    @abstractmethod
    def _read_clock(self) -> datetime:
        """Return the time that ages go by."""

    @property
    def archive_tier(self) -> str:
        return self._located.copier.archive_tier

    def read_content(self, location: UploadLocation) -> bytes:
        existing = self._located.find(location)
        if existing.size > _SMALL:
            raise InvalidRequestError(
                f"{existing.address.key}: {existing.size} bytes, and at most {_SMALL} are read;"
                " download it"
            )
        return b"".join(self._located.reader.read(existing))

    @overload
    def filter_by_age(
        self,
        uploads: Sequence[FoundArtifact],
        *,
        days_since_create: float | None = None,
        hours_since_create: float | None = None,
    ) -> list[FoundArtifact]: ...

    @overload
    def filter_by_age(
        self, uploads: Sequence[UploadLocation], age_threshold: datetime | None
    ) -> list[UploadLocation]: ...

    def filter_by_age(
        self,
        uploads: Sequence[Any],
        age_threshold: datetime | None = None,
        *,
        days_since_create: float | None = None,
        hours_since_create: float | None = None,
    ) -> list[Any]:
        if is_located(uploads):
            return self._located.filter_by_age(uploads, age_threshold)
        age = age_of(days_since_create, hours_since_create)
        if not age or not uploads:
            return list(uploads)
        since = self._read_clock() - age
        return [upload for upload in uploads if upload.object.modified_at <= since]

    @overload
    def archive_uploads(
        self, uploads: Sequence[FoundArtifact], storage_class: str
    ) -> ArchiveSummary: ...

    @overload
    def archive_uploads(
        self, uploads: Sequence[UploadLocation], *, age_threshold: datetime | None = None
    ) -> list[UploadLocation]: ...

    def archive_uploads(
        self,
        uploads: Sequence[Any],
        storage_class: str | None = None,
        *,
        age_threshold: datetime | None = None,
    ) -> ArchiveSummary | list[UploadLocation]:
        if storage_class is None:
            return self._located.archive(uploads, age_threshold)
        return self._archive_found(uploads, storage_class)

    def _archive_found(
        self, uploads: Sequence[FoundArtifact], storage_class: str
    ) -> ArchiveSummary:
        already = [upload for upload in uploads if upload.is_archived(storage_class)]
        others = [upload for upload in uploads if not upload.is_archived(storage_class)]
        summary = ArchiveSummary(already=already)
        for upload, outcome in for_each(lambda one: self._archive(one, storage_class), others):
            if isinstance(outcome, PipelineError):
                summary.failed.append((upload, outcome))
            else:
                summary.archived.append((upload, outcome))
        return summary

    def _archive(self, upload: FoundArtifact, storage_class: str) -> StoredObject:
        existing, artifact, bucket = upload.object, upload.artifact, self._located
        if existing.address.bucket != bucket.reader.bucket:
            raise ArtifactMissingError(f"{artifact}: in another bucket, relocate it first")
        return bucket.copier.copy(
            existing,
            existing.address.key,
            content_type=artifact.kind.content_type,
            metadata=upload.metadata,
            precondition=Replace(existing.version),
            tier_name=storage_class,
            progress=bucket.progress(),
        )


class ResultsUploads(ABC):
    """Uploads results, from a directory or as the zip itself."""

    __slots__ = ()

    @overload
    def upload_results(
        self, run_id: int, results_dir: Path, s3_prefix: PlatformPrefix
    ) -> SentResults: ...

    @overload
    def upload_results(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: PlatformPrefix
    ) -> UploadLocation: ...

    def upload_results(self, *args: Any, **kwargs: Any) -> SentResults | UploadLocation:
        sent: SentResults | UploadLocation = either(self._send, self._send_zip, args, kwargs)
        return sent

    @abstractmethod
    def _send(self, run_id: int, results_dir: Path, s3_prefix: PlatformPrefix) -> SentResults: ...

    @abstractmethod
    def _send_zip(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: PlatformPrefix
    ) -> UploadLocation: ...


def upload_key(job_upload: PlatformUpload, s3_prefix: PlatformPrefix) -> str:
    """Return the key of what a client uploads. Raises: InvalidRequestError: it is of results."""
    artifact = JobUpload.of(job_upload).artifact
    if artifact.kind is ArtifactKind.RUN_RESULTS:
        raise InvalidRequestError(f"{artifact} has no upload URL: use S3ResultsRepository")
    return JobS3Prefix.of(s3_prefix).key(artifact)
