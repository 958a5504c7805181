"""Results without a worker: `IResultsRepository` over boto3."""

from functools import partial
from typing import TYPE_CHECKING

from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.platform.store_repositories import StoredResults
from artifact_pipeline.domain.ports.platform import url_of
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.client import make_regional_client
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.endpoints import abilities_of, endpoints_of
from artifact_pipeline.worker.s3.presign import Presigner
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.tags import NO_TAGS, ObjectTags
from artifact_pipeline.worker.workspace.results_directory import zipped_results

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MIB = 2**20
_BUCKETS_DEFAULT = Encryption()


class S3ResultsRepository(StoredResults):
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
        self._presigner = Presigner(public_client or client, expiration_seconds)
        store = S3ObjectStore(
            client=client,
            bucket=bucket_name,
            encryption=encryption,
            multipart_threshold=multipart_threshold,
            part_size=part_size,
            threads=threads,
            tags=tags,
            abilities=abilities or abilities_of(client),
        )
        super().__init__(store, partial(zipped_results, keeps_times=keeps_times, threads=threads))

    def get_download_url(
        self,
        location: str | UploadLocation | None = None,
        *,
        results_url: str | None = None,
        expiration_seconds: int | None = None,
    ) -> UploadLocation:
        address = parse_address(url_of(location, results_url), self._endpoints)
        return self._presigner.get(address, expiration_seconds)
