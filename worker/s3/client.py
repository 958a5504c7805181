"""The S3 client, with every time-out and retry set."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from artifact_pipeline.domain.errors import MisconfiguredError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.s3.endpoint_forms import addressing_refusal, check_endpoint_form
from artifact_pipeline.worker.s3.endpoints import Addressing, ConfiguredEndpoint, obstacle, style_of
from artifact_pipeline.worker.s3.errors import translated_errors
from artifact_pipeline.worker.s3.proxies import check_proxy
from artifact_pipeline.worker.s3.refused_requests import describe_refusals

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_THREADS = 10
"""Of a producer, as boto3 has by default."""


def make_client(  # noqa: PLR0913 - what a deployment may choose
    endpoint_url: str | None,
    threads: int,
    session: boto3.Session | None = None,
    *,
    bucket: str = "",
    read_timeout_seconds: float = 60,
    addressing: Addressing = "auto",
) -> "S3Client":
    """Return a thread-safe client; credentials and region come from boto3's own chain.

    Args:
        endpoint_url: for an S3 that is not AWS's; by default as boto3 finds one in the environment
            and the profile.
        threads: how many requests may be under way at once.
        session: with its own credentials, instead of boto3's chain.
        bucket: whose objects it is for.
        read_timeout_seconds: how long an answer may take.
        addressing: where requests and URLs have the bucket; `auto` is the host on AWS, unless the
            bucket's name has a dot, and the path elsewhere.

    Raises:
        MisconfiguredError: a setting is wrong, such as AWS_PROFILE, or the bucket's name cannot
            stand before the endpoint's host.
        StoreUnavailableError: the credentials cannot be fetched now.
    """
    with translated_errors():
        session = session or boto3.Session()
        endpoint = ConfiguredEndpoint.find(endpoint_url, session)
    url = endpoint.url if endpoint else None
    _require_form(endpoint)
    _require_addressing(addressing, endpoint, bucket)
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
        # Nor may botocore ask for a checksum and compare: it cannot for a range, and each download
        # is compared as a whole.
        response_checksum_validation="when_required",
        s3={"addressing_style": style_of(addressing, url, bucket)},
    )
    _require_files(url)
    with translated_errors(), _translated_value_errors(endpoint):
        client = session.client("s3", endpoint_url=url, config=config)
    check_proxy(client.meta.endpoint_url)
    describe_refusals(client)
    return client


def _require_form(endpoint: ConfiguredEndpoint | None) -> None:
    if endpoint is None:
        return
    # boto3 notices a wrong port only with the first request, and then raises a bare ValueError.
    try:
        check_endpoint_form(endpoint.url)
    except ValueError as wrong:
        raise MisconfiguredError(f"{endpoint.source}: {wrong}") from None


def _require_addressing(
    addressing: Addressing, endpoint: ConfiguredEndpoint | None, bucket: str
) -> None:
    # boto3 would put the bucket into the path without a word.
    why = obstacle(endpoint.url if endpoint else None, bucket) if addressing == "virtual" else None
    if why is not None:
        source = f" ({endpoint.source})" if endpoint else ""
        raise MisconfiguredError(addressing_refusal(f"{why}{source}"))


@contextmanager
def _translated_value_errors(endpoint: ConfiguredEndpoint | None) -> Iterator[None]:
    # botocore has no class for some wrong settings, such as a host with a space in it.
    try:
        yield
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        raise MisconfiguredError(_explained(str(error), endpoint)) from error


def _explained(message: str, endpoint: ConfiguredEndpoint | None) -> str:
    value = message.removeprefix("Invalid endpoint: ")
    if endpoint is None or value == message:
        return f"AWS settings: {redact(message)}. Check the AWS_… variables"
    return f"{endpoint.source}: no valid host. Example: https://s3.example.com"


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
    """Return a client of AWS for the bucket, in this region, or in the region of boto3's chain."""
    with translated_errors():
        session = boto3.Session(region_name=region_name)
    return make_client(None, _THREADS, session, bucket=bucket)
