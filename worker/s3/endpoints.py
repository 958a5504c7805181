"""Which S3 a client talks to, and where its URLs have the bucket."""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from artifact_pipeline.domain.model.addresses import AWS_DOMAINS
from artifact_pipeline.domain.model.endpoints import Endpoint
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.abilities import AWS, StoreAbilities

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_s3 import S3Client

Addressing = Literal["auto", "path", "virtual"]

OWN_VARIABLES = ("ARTIFACTS_S3_ENDPOINT_URL", "ARTIFACTS_S3_PUBLIC_ENDPOINT_URL")
AWS_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""In the order in which boto3 reads them."""
IGNORED_BY = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_AWS = "https://s3.amazonaws.com"
_ACCELERATE = "s3-accelerate."


@dataclass(frozen=True, slots=True)
class ConfiguredEndpoint:
    """The URL of an S3 service, and the setting that it comes from."""

    url: str
    source: str

    @classmethod
    def find(cls, given: str | None, session: "boto3.Session") -> Self | None:
        """Return the endpoint that boto3 would use, or None for AWS's own.

        The order is boto3's: the given one, the environment, the profile's section of services,
        the profile. The client is then made with this very URL.
        """
        if given is not None:
            named = [name for name in OWN_VARIABLES if os.environ.get(name) == given]
            return cls(given, (named or OWN_VARIABLES)[0])
        core: Any = session._session  # noqa: SLF001 - boto3 has no other way to its configuration
        if core.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        for name in AWS_VARIABLES:
            if os.environ.get(name):
                return cls(os.environ[name], name)
        return cls._of_profile(core)

    @classmethod
    def _of_profile(cls, core: Any) -> Self | None:  # noqa: ANN401 - botocore has no types
        profile = core.get_scoped_config()
        name = profile.get("services")
        section = core.full_config.get("services", {}).get(name, {}).get("s3", {})
        where = f"the profile {core.profile or 'default'!r} of the AWS config file"
        for settings, source in ((section, f"services {name!r} of {where}"), (profile, where)):
            if settings.get("endpoint_url"):
                return cls(settings["endpoint_url"], f"endpoint_url in {source}")
        return None


def style_of(
    addressing: Addressing, endpoint_url: str | None, bucket: str
) -> Literal["path", "virtual"]:
    """Return where a client's requests have the bucket.

    Never boto3's `auto`: that signs for a region and names a host that redirects to it, and a
    client that was given the URL cannot sign again.
    """
    if addressing != "auto":
        return addressing
    if endpoint_url is not None:
        # Transfer acceleration has no URLs by path.
        return "virtual" if _ACCELERATE in endpoint_url else "path"
    # A dot would break the wildcard certificate.
    return "path" if "." in bucket else "virtual"


def obstacle(endpoint_url: str | None, bucket: str) -> str | None:
    """Return why the bucket's name cannot stand before the endpoint's host; None if it can."""
    return Endpoint.of(endpoint_url or _AWS).obstacle(bucket)


def endpoint_of(client: "S3Client") -> Endpoint:
    """Return the endpoint that the client's requests go to."""
    return Endpoint.of(client.meta.endpoint_url)


def endpoints_of(*clients: "S3Client | None") -> list[Endpoint]:
    """Return the endpoints of those clients that there are."""
    return [endpoint_of(client) for client in clients if client is not None]


def location_of(client: "S3Client", address: ObjectAddress) -> str:
    """Return an object's permanent URL, as the client's own requests address it."""
    endpoint = endpoint_of(client)
    config: Any = client.meta.config  # whose stubs lack the attribute
    style = (config.s3 or {}).get("addressing_style") or "auto"
    if style == "auto":  # of a client that is the caller's own
        style = "virtual" if is_of_aws(endpoint) else "path"
    by_host = style == "virtual" and endpoint.obstacle(address.bucket) is None
    return endpoint.url_of(address, by_host=by_host)


def abilities_of(client: "S3Client", chosen: StoreAbilities = AWS) -> StoreAbilities:
    """Return the chosen abilities of the store, with the one that its address shows."""
    return replace(chosen, multipart_etags=is_of_aws(endpoint_of(client)))


def is_of_aws(endpoint: Endpoint) -> bool:
    """Return whether it is an endpoint of AWS S3."""
    return endpoint.host.endswith(tuple(f".{domain}" for domain in AWS_DOMAINS))
