"""The S3 client, with every time-out and retry set."""

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_THREADS = 10
"""Of a producer, as boto3 has by default."""


def make_client(
    endpoint_url: str | None,
    threads: int,
    session: boto3.Session | None = None,
    *,
    bucket: str = "",
    read_timeout_seconds: float = 60,
) -> "S3Client":
    """A thread-safe client; credentials and region come from boto3's own chain.

    Args:
        endpoint_url: for an S3 that is not AWS's; buckets are then addressed by path.
        threads: how many requests may be under way at once.
        session: with credentials of its own, instead of boto3's chain.
        bucket: whose objects it is for.
        read_timeout_seconds: how long an answer may take.
    """
    config = Config(
        signature_version="s3v4",  # the default still presigns with SigV2 in some regions
        connect_timeout=5,
        read_timeout=read_timeout_seconds,
        tcp_keepalive=True,
        # Short hiccups only. Waiting is the transfer's own affair: SQL counts those attempts.
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=threads + 1,
        # Every write carries a SHA-256 already; botocore would add a CRC beside it.
        request_checksum_calculation="when_required",
        # Nor is it to ask for a checksum and compare: it cannot for a range, and what was fetched
        # is compared once it is on the disk.
        response_checksum_validation="when_required",
        s3={"addressing_style": _addressing_style(endpoint_url, bucket)},
    )
    return (session or boto3.Session()).client("s3", endpoint_url=endpoint_url, config=config)


def make_regional_client(bucket: str, region_name: str | None) -> "S3Client":
    """A client of AWS for the bucket, in the region or in that of boto3's own chain."""
    return make_client(None, _THREADS, boto3.Session(region_name=region_name), bucket=bucket)


def _addressing_style(endpoint_url: str | None, bucket: str) -> Literal["path", "virtual"]:
    # By host, and never "auto": that signs for a region and names a host that redirects to it, and
    # a client that was given the URL cannot sign anew. A dot would break the wildcard certificate.
    return "path" if endpoint_url or "." in bucket else "virtual"


def endpoint_host(client: "S3Client") -> str:
    """The host of the client's S3, with the port if it has one."""
    return urlsplit(client.meta.endpoint_url).netloc
