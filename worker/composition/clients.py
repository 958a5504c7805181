"""The S3 clients that the settings describe."""

from typing import TYPE_CHECKING

from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.refused_requests import name_encryption_setting
from artifact_pipeline.worker.settings import BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def bucket_client(
    settings: BucketSettings, requests: int = 0, *, read_timeout_seconds: float | None = None
) -> "S3Client":
    """Return a client of the bucket. Raises: as `make_client`.

    Args:
        settings: of the bucket.
        requests: that may be under way at once, if more than one transfer makes.
        read_timeout_seconds: instead of the settings' one.
    """
    client = make_client(
        settings.s3_endpoint_url,
        max(requests, settings.transfer_threads),
        bucket=settings.bucket,
        read_timeout_seconds=read_timeout_seconds or settings.s3_timeout_seconds,
        addressing=settings.s3_addressing,
    )
    name_encryption_setting(client, settings.encryption.setting)
    return client


def signing_client(settings: BucketSettings) -> "S3Client | None":
    """Return a client that signs URLs for the public endpoint, if one is set.

    A signature is valid for one host only, the one that clients use. Raises: as `make_client`.
    """
    url = settings.s3_public_endpoint_url
    if url is None:
        return None
    # It sends nothing, so it needs neither connections nor time-outs.
    return make_client(url, threads=1, bucket=settings.bucket, addressing=settings.s3_addressing)
