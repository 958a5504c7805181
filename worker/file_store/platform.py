"""The platform's repositories of uploads and results, over files."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

from artifact_pipeline.domain.catalog.located_uploads import LocatedUploads
from artifact_pipeline.domain.errors import InvalidRequestError, ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredObject
from artifact_pipeline.domain.model.job_uploads import PlatformUpload
from artifact_pipeline.domain.model.keys import JobS3Prefix, PlatformPrefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.domain.platform.repository_shapes import (
    ResultsUploads,
    UploadLocations,
    upload_key,
)
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.object_store import IObjectCopier
from artifact_pipeline.domain.ports.platform import SentResults, url_of
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.file_store.reading import FileObjectReader
from artifact_pipeline.worker.file_store.store import FileObjectStore
from artifact_pipeline.worker.file_store.urls import parse_address
from artifact_pipeline.worker.workspace.files import CHUNK
from artifact_pipeline.worker.workspace.results_directory import zipped_results

_TRIES = 3


@dataclass(frozen=True, slots=True)
class BytesSource:
    """The source of an upload that is in memory."""

    content: bytes
    links_left_out: int = 0

    @property
    def exact_size(self) -> int:
        return len(self.content)

    @property
    def largest_size(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), CHUNK):
            yield self.content[start : start + CHUNK]


class Uninterrupted:
    """The progress of a write without a lease, which no other attempt continues."""

    upload_id: str | None = None

    def started(self, upload_id: str) -> None:
        """Keep no id: an upload that fails is removed at once."""

    def checkpoint(self) -> None:
        """Pass: there is no lease to lose."""


class FileUploadLocations(UploadLocations):
    """Uploads that are in a store of files. It gives no URLs: nothing serves the directory.

    Args:
        reader: of the store.
        copier: in the store.
        now: the clock that ages go by.
    """

    def __init__(
        self,
        reader: FileObjectReader,
        copier: IObjectCopier,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._uploads = LocatedUploads(
            reader=reader,
            copier=copier,
            address_of=partial(parse_address, roots=(reader.root, *reader.others)),
            progress=Uninterrupted,
        )
        self._root = reader.root

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

    @property
    def expires_in(self) -> timedelta:
        return timedelta()

    def get_upload_location(
        self, job_upload: PlatformUpload, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        """Refuse. Raises: InvalidRequestError: a client cannot upload to a directory by a URL."""
        key = upload_key(job_upload, s3_prefix)
        raise InvalidRequestError(
            f"{key}: ARTIFACTS_STORE={self._root.url} has no upload URLs. Write the file to the"
            " workspace and use request_upload, or store artifacts in a bucket"
        )


class FileResults(ResultsUploads):
    """Results that are stored without a worker.

    Args:
        store: where they go.
        keeps_times: pack the files' times of modification.
        threads: how many files are deflated at once.
    """

    def __init__(self, store: FileObjectStore, *, keeps_times: bool, threads: int) -> None:
        self._store = store
        self._keeps_times = keeps_times
        self._threads = threads

    def _send(self, run_id: int, results_dir: Path, s3_prefix: PlatformPrefix) -> SentResults:
        prefix = JobS3Prefix.of(s3_prefix)
        artifact = Artifact(ArtifactKind.RUN_RESULTS, prefix.job_id, run_id)
        source = zipped_results(
            artifact, results_dir, keeps_times=self._keeps_times, threads=self._threads
        )
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

    def get_download_url(
        self,
        location: str | UploadLocation | None = None,
        *,
        results_url: str | None = None,
        expiration_seconds: int | None = None,  # noqa: ARG002 - as the port has it
    ) -> UploadLocation:
        """Refuse. Raises: InvalidRequestError: nothing serves the directory to a client."""
        url_of(location, results_url)  # one of them must be given
        raise InvalidRequestError(
            f"ARTIFACTS_STORE={self._store.root.url} has no download URLs. Use request_download or"
            " `artifacts jobs uploads download`, or store artifacts in a bucket"
        )

    def _put(self, artifact: Artifact, prefix: JobS3Prefix, source: Source) -> StoredObject:
        key = prefix.key(artifact)
        put = partial(
            self._store.put,
            key,
            source,
            content_type=artifact.kind.content_type,
            metadata=artifact.metadata,
            progress=Uninterrupted(),
        )
        for _ in range(_TRIES - 1):
            try:
                return put(precondition=replacing(self._store.version(key)))
            except ObjectReplacedError:
                continue
        return put(precondition=replacing(self._store.version(key)))
