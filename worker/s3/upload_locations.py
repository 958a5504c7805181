"""Upload URLs, and what was uploaded by them: `IUploadLocationRepository` over boto3."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from artifact_pipeline.domain.catalog.located_uploads import LocatedUploads
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.job_uploads import JobUpload, PlatformUpload
from artifact_pipeline.domain.model.keys import PlatformPrefix
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.platform.repository_shapes import upload_key
from artifact_pipeline.domain.platform.store_repositories import StoredUploadLocations
from artifact_pipeline.domain.ports.object_store import IObjectCopier
from artifact_pipeline.domain.transfers.bytes_upload import Uninterrupted
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.client import make_regional_client
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from artifact_pipeline.worker.s3.dates import s3_now
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.endpoints import abilities_of, endpoints_of
from artifact_pipeline.worker.s3.presign import Presigner
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.tags import NO_TAGS, ObjectTags

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SMALL = 16 * 2**20
_BUCKETS_DEFAULT = Encryption()


class S3UploadLocationRepository(StoredUploadLocations):
    """Of one bucket.

    Args:
        bucket_name: where everything is stored.
        region_name: of the bucket; by default of boto3's own chain.
        expiration_seconds: of the URLs, at most a week.
        s3_client: by default one for AWS.
        encryption: of copies, and of uploads if it is signed; by default the bucket's.
        signs_encryption: whether a client must send the encryption as headers. By default it needs
            nothing but the URL, and the bucket's default encrypts what it puts.
        signed_tags: tags that a client must send as a header.
        copier: by default one in this bucket.
        abilities: of the store; by default what its address tells.
        now: the clock that ages go by; by default S3's, which is asked once for each filter.
        public_client: signs the URLs for the host that clients use; by default `s3_client`.

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
        encryption: Encryption = _BUCKETS_DEFAULT,
        signs_encryption: bool = False,
        signed_tags: ObjectTags = NO_TAGS,
        copier: IObjectCopier | None = None,
        abilities: StoreAbilities | None = None,
        now: Callable[[], datetime] | None = None,
        public_client: "S3Client | None" = None,
    ) -> None:
        client = s3_client or make_regional_client(bucket_name, region_name)
        encryption = encryption.with_signing(is_signed=signs_encryption)
        self._bucket = bucket_name
        self._presigner = Presigner(public_client or client, expiration_seconds)
        self._signed_encryption = encryption if signs_encryption else None
        self._signed_tags = signed_tags
        abilities = abilities or abilities_of(client)
        reader = S3ObjectReader(client=client, bucket=bucket_name, abilities=abilities)
        copier = copier or S3ObjectCopier(
            client=client,
            bucket=bucket_name,
            encryption=encryption,
            reader=reader,
            threads=1,
            abilities=abilities,
        )
        uploads = LocatedUploads(
            reader=reader,
            copier=copier,
            address_of=partial(parse_address, endpoints=endpoints_of(client, public_client)),
            progress=Uninterrupted,
        )
        super().__init__(uploads, now or partial(s3_now, client, bucket_name))

    @property
    def expires_in(self) -> timedelta:
        return self._presigner.expires_in

    def get_upload_location(
        self, job_upload: PlatformUpload, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        address = ObjectAddress(self._bucket, upload_key(job_upload, s3_prefix))
        tagging = self._signed_tags.arguments(JobUpload.of(job_upload).artifact.metadata)
        return self._presigner.put(address, self._signed_encryption, tagging)
