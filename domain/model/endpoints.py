"""Endpoints of S3 services: how a URL spells one, and how it spells an object's address."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:  # the settings use this module, and every command reads them
    from artifact_pipeline.domain.model.objects import ObjectAddress

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The base URL of an S3 service, in one spelling.

    Attributes:
        scheme: `http` or `https`.
        host: in lower case; an IPv6 address has no brackets.
        port: None for the default port of the scheme.
        path: begins with a slash and does not end with one; empty at most services.
    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""

    @classmethod
    @lru_cache
    def of(cls, url: str) -> Self:
        """Return the endpoint that a URL spells, however it does.

        Raises:
            ValueError: it is not a URL.
        """
        parts = urlsplit(url)
        port = None if parts.port == _DEFAULT_PORTS.get(parts.scheme) else parts.port
        host = _normalized((parts.hostname or "").removesuffix("."))
        return cls(parts.scheme, host, port, parts.path.rstrip("/"))

    @property
    def has_ip_address(self) -> bool:
        """Return whether its host is an IP address, which takes no name before it."""
        return _is_ip_address(self.host)

    @property
    def authority(self) -> str:
        """Return host and port as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def obstacle(self, bucket: str) -> str | None:
        """Return why the bucket's name cannot stand before this host; None if it can."""
        if self.has_ip_address:
            return f"{self.authority} is an IP address, which takes no bucket's name before it"
        if bucket and not _HOST_NAME.fullmatch(bucket):
            return f"the bucket's name {bucket!r} is not a host name"
        if "." in bucket and self.scheme == "https":
            return f"no wildcard certificate covers the dot in the bucket's name {bucket!r}"
        return None

    def url_of(self, address: "ObjectAddress", *, by_host: bool) -> str:
        """Return the URL of an object, with the bucket in the host or else in the path."""
        if by_host:
            host, path = f"{address.bucket}.{self.authority}", self.path
        else:
            host, path = self.authority, f"{self.path}/{address.bucket}"
        return f"{self.scheme}://{host}{path}/{quote(address.key)}"


def _normalized(host: str) -> str:
    return str(ip_address(host)) if _is_ip_address(host) else host.lower()


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
