"""The adapters of S3."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.composition.clients import bucket_client, signing_client
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.bandwidth import Bandwidth
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.endpoints import abilities_of, endpoints_of
from artifact_pipeline.worker.s3.object_versions import S3ObjectVersions
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.restoring import S3ObjectRestorer
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository
from artifact_pipeline.worker.settings import BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class BucketAdapters:
    """One adapter for each port of the store, on a bucket of S3.

    Args:
        settings: of the bucket.
        requests: that may be under way at once, if more than one transfer makes.
    """

    def __init__(self, settings: BucketSettings, requests: int = 0) -> None:
        self._bucket_settings = settings
        self._requests = max(requests, settings.transfer_threads)

    @cached_property
    def client(self) -> "S3Client":
        return bucket_client(self._bucket_settings, self._requests)

    @cached_property
    def public_client(self) -> "S3Client | None":
        return signing_client(self._bucket_settings)

    @property
    def encryption(self) -> Encryption:
        return self._bucket_settings.encryption

    @cached_property
    def abilities(self) -> StoreAbilities:
        return abilities_of(self.client, self._bucket_settings.abilities)

    @cached_property
    def store(self) -> S3ObjectStore:
        settings = self._bucket_settings
        return S3ObjectStore(
            client=self.client,
            bucket=settings.bucket,
            encryption=self.encryption,
            multipart_threshold=settings.multipart_threshold,
            part_size=settings.part_size,
            threads=settings.transfer_threads,
            tags=settings.tags,
            abilities=self.abilities,
            bandwidth=self.bandwidth,
        )

    @cached_property
    def bandwidth(self) -> Bandwidth:
        """The limit that uploads and downloads of this process share."""
        return Bandwidth(bytes_per_second=self._bucket_settings.bandwidth)

    @cached_property
    def reader(self) -> S3ObjectReader:
        bucket = self._bucket_settings.bucket
        return S3ObjectReader(
            client=self.client, bucket=bucket, abilities=self.abilities, bandwidth=self.bandwidth
        )

    @cached_property
    def copier(self) -> S3ObjectCopier:
        return S3ObjectCopier(
            client=self.client,
            bucket=self._bucket_settings.bucket,
            encryption=self.encryption,
            reader=self.reader,
            threads=self._bucket_settings.transfer_threads,
            abilities=self.abilities,
            upload_part_size=self._bucket_settings.part_size,
        )

    @cached_property
    def versions(self) -> S3ObjectVersions:
        bucket = self._bucket_settings.bucket
        return S3ObjectVersions(client=self.client, bucket=bucket, abilities=self.abilities)

    @cached_property
    def restorer(self) -> S3ObjectRestorer:
        return S3ObjectRestorer(client=self.client)

    @cached_property
    def upload_locations(self) -> S3UploadLocationRepository:
        return S3UploadLocationRepository(
            self._bucket_settings.bucket,
            expiration_seconds=self._bucket_settings.url_expires,
            s3_client=self.client,
            encryption=self.encryption,
            signs_encryption=self._bucket_settings.url_signs_encryption,
            signed_tags=self._bucket_settings.signed_tags,
            copier=self.copier,
            public_client=self.public_client,
            abilities=self.abilities,
        )

    @cached_property
    def results(self) -> S3ResultsRepository:
        settings = self._bucket_settings
        return S3ResultsRepository(
            settings.bucket,
            expiration_seconds=settings.download_url_expires,
            s3_client=self.client,
            encryption=self.encryption,
            multipart_threshold=settings.multipart_threshold,
            part_size=settings.part_size,
            threads=settings.transfer_threads,
            keeps_times=settings.keeps_zip_times,
            tags=settings.tags,
            public_client=self.public_client,
            abilities=self.abilities,
        )

    @property
    def address_of(self) -> Callable[[str], ObjectAddress]:
        """Reads the URLs of this S3, by its internal and its public endpoint, and of AWS's."""
        endpoints = endpoints_of(self.client, self.public_client)
        return partial(parse_address, endpoints=endpoints)
