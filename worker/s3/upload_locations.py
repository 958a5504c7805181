"""Upload URLs, and what was uploaded by them: `IUploadLocationRepository` over boto3."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self, overload

from domain.addresses import parse_address
from domain.artifacts import ArtifactKind, StoredObject
from domain.errors import ArtifactMissingError, InvalidRequestError, TransferError
from domain.found import FoundArtifact
from domain.job_uploads import JobUpload, PlatformUpload
from domain.located_uploads import LocatedUploads, is_located
from domain.locations import UploadLocation
from domain.minimum_age import age_of
from domain.objects import IObjectCopier, ObjectAddress
from domain.platform_ports import ArchiveSummary
from domain.ports import IArtifactRepository
from domain.prefix import JobS3Prefix, PlatformPrefix
from worker.s3.client import endpoint_host, make_regional_client
from worker.s3.copying import S3ObjectCopier
from worker.s3.dates import s3_now
from worker.s3.presign import Presigner
from worker.s3.reading import S3ObjectReader
from worker.s3.store import Encryption

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SMALL = 16 * 2**20
_AES256 = Encryption()


class S3UploadLocationRepository:
    """Of one bucket.

    Args:
        bucket_name: where everything is stored.
        region_name: of the bucket; by default of boto3's own chain.
        expiration_seconds: of the URLs, at most a week.
        s3_client: by default one for AWS.
        encryption: of copies, and of uploads if it is signed.
        signs_encryption: whether a client must send the encryption as headers. By default it needs
            nothing but the URL, and the bucket's default encrypts what it puts.
        copier: by default one in this bucket.
        now: the clock that ages go by; by default S3's, which is asked once for each filter.

    Raises:
        ConfigurationError: S3 allows no such expiry.
    """

    def __init__(  # noqa: PLR0913 - as the platform calls it, and what it may choose
        self,
        bucket_name: str,
        region_name: str | None = None,
        expiration_seconds: int = 3600,
        s3_client: "S3Client | None" = None,
        *,
        encryption: Encryption = _AES256,
        signs_encryption: bool = False,
        copier: IObjectCopier | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        client = s3_client or make_regional_client(bucket_name, region_name)
        self._bucket = bucket_name
        self._client = client
        self._presigner = Presigner(client, expiration_seconds)
        self._signed_encryption = encryption if signs_encryption else None
        self._reader = S3ObjectReader(client=client, bucket=bucket_name)
        self._copier = copier or S3ObjectCopier(
            client=client,
            bucket=bucket_name,
            encryption=encryption,
            reader=self._reader,
            threads=1,
        )
        self._located = LocatedUploads(
            reader=self._reader,
            copier=self._copier,
            address_of=lambda url: parse_address(url, endpoint_host(client)),
            progress=Uninterrupted,
        )
        self._now = now or partial(s3_now, client, bucket_name)

    def recording_in(self, artifacts: IArtifactRepository) -> Self:
        """Return the same repository, whose archive of URLs also updates the rows of artifacts."""
        recording = copy(self)
        recording._located = replace(self._located, artifacts=artifacts)  # noqa: SLF001 - its own
        return recording

    @property
    def expires_in(self) -> timedelta:
        return self._presigner.expires_in

    def get_upload_location(
        self, job_upload: PlatformUpload, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        artifact = JobUpload.of(job_upload).artifact
        if artifact.kind is ArtifactKind.RUN_RESULTS:
            raise InvalidRequestError("results are uploaded by S3ResultsRepository")
        key = JobS3Prefix.of(s3_prefix).key(artifact)
        return self._presigner.put(ObjectAddress(self._bucket, key), self._signed_encryption)

    def read_content(self, location: UploadLocation) -> bytes:
        address = parse_address(location.url, endpoint_host(self._client))
        there = self._reader.find(address)
        if there is None:
            raise ArtifactMissingError(f"there is no {address.key}")
        if there.size > _SMALL:
            raise InvalidRequestError(f"{address.key} has more than {_SMALL} bytes")
        return b"".join(self._reader.read(there))

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
        since = self._now() - age
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
        summary = ArchiveSummary()
        for upload in uploads:
            if upload.is_archived(storage_class):
                summary.already.append(upload)
                continue
            try:
                summary.archived.append((upload, self._archive(upload, storage_class)))
            except TransferError as error:
                summary.failed.append((upload, error))
        return summary

    def _archive(self, upload: FoundArtifact, storage_class: str) -> StoredObject:
        there, artifact = upload.object, upload.artifact
        if there.address.bucket != self._bucket:
            raise ArtifactMissingError(f"{artifact}: in another bucket, relocate it first")
        return self._copier.copy(
            there,
            there.address.key,
            content_type=artifact.kind.content_type,
            metadata=upload.metadata,
            replaces=there.etag,
            storage_class=storage_class,
            progress=Uninterrupted(),
        )


class Uninterrupted:
    """The progress of what no lease guards, and no other attempt goes on with."""

    def __init__(self) -> None:
        self.upload_id: str | None = None

    def started(self, upload_id: str) -> None:
        self.upload_id = upload_id

    def checkpoint(self) -> None:
        """Nobody takes it over."""
