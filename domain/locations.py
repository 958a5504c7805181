"""URLs of stored artifacts."""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class UploadLocation:
    """A URL of an object, which may carry a signature."""

    url: str

    @property
    def sanitized(self) -> str:
        """The URL without query, fragment and user: the form that may be stored and shown."""
        scheme, netloc, path, _, _ = urlsplit(self.url)
        return urlunsplit((scheme, netloc.rpartition("@")[2], path, "", ""))
