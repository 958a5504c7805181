"""Results without a worker: `IResultsRepository` over boto3."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from artifact_pipeline.domain.errors import ObjectReplacedError, TransferError
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.artifacts import Artifact, StoredObject
from artifact_pipeline.domain.model.keys import JobS3Prefix, PlatformPrefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.domain.platform.repository_shapes import ResultsUploads
from artifact_pipeline.domain.ports.platform import SentResults, url_of
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.client import make_regional_client
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.endpoints import abilities_of, endpoints_of
from artifact_pipeline.worker.s3.presign import Presigner
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.tags import NO_TAGS, ObjectTags
from artifact_pipeline.worker.s3.upload_locations import Uninterrupted
from artifact_pipeline.worker.workspace.results_directory import zipped_results

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_MIB = 2**20
_TRIES = 3
_BUCKETS_DEFAULT = Encryption()


@dataclass(frozen=True, slots=True)
class _Bytes:
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
        for start in range(0, len(self.content), _MIB):
            yield self.content[start : start + _MIB]


class S3ResultsRepository(ResultsUploads):
    """Of one bucket. Args and errors: as `S3UploadLocationRepository`; sizes in bytes.

    The URLs are for downloads, so by default they expire after a day instead of an hour.
    `keeps_times` packs the files' times of modification; `abilities` are the store's.
    """

    def __init__(  # noqa: PLR0913 - as the platform calls it, and what it may choose
        self,
        bucket_name: str,
        region_name: str | None = None,
        expiration_seconds: int = 24 * 3600,
        s3_client: "S3Client | None" = None,
        *,
        encryption: Encryption = _BUCKETS_DEFAULT,
        multipart_threshold: int = 16 * _MIB,
        part_size: int = 16 * _MIB,
        threads: int = 4,
        keeps_times: bool = False,
        tags: ObjectTags = NO_TAGS,
        public_client: "S3Client | None" = None,
        abilities: StoreAbilities | None = None,
    ) -> None:
        client = s3_client or make_regional_client(bucket_name, region_name)
        self._endpoints = endpoints_of(client, public_client)
        self._keeps_times = keeps_times
        self._threads = threads
        self._presigner = Presigner(public_client or client, expiration_seconds)
        self._store = S3ObjectStore(
            client=client,
            bucket=bucket_name,
            encryption=encryption,
            multipart_threshold=multipart_threshold,
            part_size=part_size,
            threads=threads,
            tags=tags,
            abilities=abilities or abilities_of(client),
        )

    def _send(self, run_id: int, results_dir: Path, s3_prefix: PlatformPrefix) -> SentResults:
        prefix = JobS3Prefix.of(s3_prefix)
        artifact = Artifact(ArtifactKind.RUN_RESULTS, prefix.job_id, run_id)
        key = prefix.run_results_key(run_id)
        source = zipped_results(
            artifact, results_dir, keeps_times=self._keeps_times, threads=self._threads
        )
        stored = self._put(artifact, key, source)
        return SentResults(
            object=stored,
            location=self._store.location(key),
            links_left_out=source.links_left_out,
        )

    def _send_zip(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
        key = JobS3Prefix.of(s3_prefix).key(artifact)
        self._put(artifact, key, _Bytes(zip_content))
        return self._store.location(key)

    def get_download_url(
        self,
        location: str | UploadLocation | None = None,
        *,
        results_url: str | None = None,
        expiration_seconds: int | None = None,
    ) -> UploadLocation:
        address = parse_address(url_of(location, results_url), self._endpoints)
        return self._presigner.get(address, expiration_seconds)

    def _put(self, artifact: Artifact, key: str, source: Source) -> StoredObject:
        progress = Uninterrupted()
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
            # No other attempt will go on with its parts.
            if progress.upload_id is not None:
                self._abort(key, progress.upload_id)
            raise

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self._store.abort(key, upload_id)
        except TransferError as error:
            # Why the upload failed is what must be heard of; the next reconcile aborts it.
            logger.warning("the parts of an upload are still there: %s", error)
