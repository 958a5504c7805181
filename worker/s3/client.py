"""The S3 client, with every time-out and retry set."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from domain.errors import MisconfiguredError
from domain.redaction import redact
from worker.s3.errors import translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")
_ENDPOINTS = ("ARTIFACTS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
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

    Raises:
        MisconfiguredError: a setting is wrong, such as AWS_PROFILE.
        S3UnavailableError: the credentials cannot be fetched now.
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
    _require_files(endpoint_url)
    with translated_errors(), _translated_value_errors():
        return (session or boto3.Session()).client("s3", endpoint_url=endpoint_url, config=config)


@contextmanager
def _translated_value_errors() -> Iterator[None]:
    # botocore has no class of its own for some wrong settings, such as a host with a space in it.
    try:
        yield
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        raise MisconfiguredError(_explained(str(error))) from error


def _explained(message: str) -> str:
    value = message.removeprefix("Invalid endpoint: ")
    if value == message:
        return f"AWS settings: {redact(message)}. Check the AWS_… variables"
    named = [name for name in _ENDPOINTS if os.environ.get(name) == value]
    return f"{(named or _ENDPOINTS)[0]}: no valid host. Example: https://s3.example.com"


def _require_files(endpoint_url: str | None) -> None:
    # botocore reads them with the first request: the error would look like an outage, or be none
    # of botocore's.
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle and not (endpoint_url or "").startswith("http://"):
        with _translated_file_errors("AWS_CA_BUNDLE", bundle):
            ssl.create_default_context(cafile=bundle)
    token = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if token:
        with _translated_file_errors("AWS_WEB_IDENTITY_TOKEN_FILE", token):
            Path(token).read_bytes()


@contextmanager
def _translated_file_errors(variable: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = "no certificates in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise MisconfiguredError(f"{variable}={path}: {why}. Correct or unset it") from error


def make_regional_client(bucket: str, region_name: str | None) -> "S3Client":
    """A client of AWS for the bucket, in the region or in that of boto3's own chain."""
    with translated_errors():
        session = boto3.Session(region_name=region_name)
    return make_client(None, _THREADS, session, bucket=bucket)


def _addressing_style(endpoint_url: str | None, bucket: str) -> Literal["path", "virtual"]:
    # By host, and never "auto": that signs for a region and names a host that redirects to it, and
    # a client that was given the URL cannot sign anew. A dot would break the wildcard certificate.
    return "path" if endpoint_url or "." in bucket else "virtual"


def endpoint_host(client: "S3Client") -> str:
    """The host of the client's S3, with the port if it has one."""
    return urlsplit(client.meta.endpoint_url).netloc
