"""URLs of stored artifacts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class UploadLocation:
    """A URL of an object, which may carry a signature.

    Attributes:
        headers: what whoever uses a signed URL must send along, for they are signed as well.
    """

    url: str
    # Not hashed: a mapping has no hash, and two locations that are equal have the same URL.
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def __repr__(self) -> str:
        # Whoever has the signature can use it; what is logged by mistake must not tell it.
        return f"UploadLocation({self.sanitized!r})"

    @property
    def sanitized(self) -> str:
        """The URL without query, fragment and user: the form that may be stored and shown."""
        scheme, netloc, path, _, _ = urlsplit(self.url)
        return urlunsplit((scheme, netloc.rpartition("@")[2], path, "", ""))
