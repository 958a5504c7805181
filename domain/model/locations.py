"""URLs of stored artifacts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class UploadLocation:
    """A URL of an object, which may carry a signature.

    Attributes:
        headers: the client must send them; they are signed.
        errors: what failed with the object, in an answer of `archive_uploads`.
    """

    url: str
    # Not hashed: a mapping has no hash, and two locations that are equal have the same URL.
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    errors: list[str] = field(default_factory=list, compare=False)

    def __repr__(self) -> str:
        # A logged signature can be used by any reader of the log.
        return f"UploadLocation({self.sanitized!r})"

    @property
    def sanitized(self) -> str:
        """The URL without query, fragment and user: the form that may be stored and shown."""
        scheme, netloc, path, _, _ = urlsplit(self.url)
        return urlunsplit((scheme, netloc.rpartition("@")[2], path, "", ""))

    def get_sanitized_url(self) -> str:
        """Return `sanitized`, by the platform's name."""
        return self.sanitized

    def to_dict(self) -> dict[str, str]:
        """Return what a client is given: the URL with its signature."""
        return {"url": self.url}

    def to_sanitized_dict(self) -> dict[str, str]:
        """Return the same without the signature, to store or to show."""
        return {"url": self.sanitized}

    def extract_filename(self) -> str | None:
        """Return the last part of the URL's path if it has an extension, else None."""
        name = PurePosixPath(urlsplit(self.url).path).name
        return name if "." in name else None
