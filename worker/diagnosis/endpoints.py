"""The endpoints of S3: which setting counts, and whether the public one has the right form.

No request is sent: the host that runs this may not reach the public endpoint.
"""

import os
from collections.abc import Iterator
from ipaddress import ip_address

import boto3

from artifact_pipeline.domain.model.endpoints import Endpoint
from artifact_pipeline.domain.redaction import hide_credentials
from artifact_pipeline.worker.diagnosis.findings import Finding, ok, warning
from artifact_pipeline.worker.s3.endpoints import (
    AWS_VARIABLES,
    IGNORED_BY,
    ConfiguredEndpoint,
    style_of,
)
from artifact_pipeline.worker.s3.errors import translated_errors
from artifact_pipeline.worker.settings import BucketSettings

_PUBLIC = "ARTIFACTS_S3_PUBLIC_ENDPOINT_URL"
_PLACES = {"path": "the bucket is in the path", "virtual": "the bucket is in the host"}


def examine_endpoints(settings: BucketSettings) -> Iterator[Finding]:
    """Say where requests go, and whom presigned URLs are for.

    Raises:
        MisconfiguredError: the profile is wrong.
    """
    with translated_errors():
        endpoint = ConfiguredEndpoint.find(settings.s3_endpoint_url, boto3.Session())
    url = None if endpoint is None else endpoint.url
    style = style_of(settings.s3_addressing, url, settings.bucket)
    shown = "AWS" if endpoint is None else f"{hide_credentials(endpoint.url)}, {endpoint.source}"
    yield ok("S3 endpoint", f"{shown}; {_PLACES[style]}{_unused(endpoint)}")
    if settings.s3_public_endpoint_url is not None:
        yield _public(settings.s3_public_endpoint_url, url)


def _unused(endpoint: ConfiguredEndpoint | None) -> str:
    """Return the variables of AWS that name another endpoint, and have no effect."""
    used = None if endpoint is None else endpoint.source
    given = [name for name in AWS_VARIABLES if os.environ.get(name) and name != used]
    if not given:
        return ""
    return f"; not used: {', '.join(given)}, because of {used or _ignored_by()}"


def _ignored_by() -> str:
    in_profile = f"{IGNORED_BY.removeprefix('AWS_').lower()} in the AWS profile"
    return IGNORED_BY if IGNORED_BY in os.environ else in_profile


def _public(url: str, internal: str | None) -> Finding:
    if _is_loopback(url) and not (internal and _is_loopback(internal)):
        return warning(
            "S3 public endpoint",
            f"{_PUBLIC}={url}: this address means the client's own machine",
            why="presigned URLs are made for it, and clients on other machines cannot use them",
            fix=f"set {_PUBLIC} to the host by which clients reach S3",
        )
    return ok("S3 public endpoint", f"presigned URLs are made for {url}; it is not tried from here")


def _is_loopback(url: str) -> bool:
    host = Endpoint.of(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
