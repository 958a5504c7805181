"""URLs of objects in stores of files."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.file_store.layout import is_key
from artifact_pipeline.worker.file_store.root import StoreRoot

SCHEME = "file"
_LOCAL = {"", "localhost"}


def parse_root(url: str) -> StoreRoot:
    """Return the store that a URL names.

    Raises:
        ValueError: it names no directory; says what to use.
    """
    path = _path(_split(url))
    if path is None or path == Path("/") or ".." in path.parts:
        raise ValueError(
            "use file:// and the absolute path of a directory. Example: file:///srv/artifacts"
        )
    return StoreRoot(path)


def parse_address(url: str, roots: Sequence[StoreRoot]) -> ObjectAddress:
    """Return the root and the key of an object's URL.

    Args:
        url: as `StoreRoot.url_of` makes it.
        roots: of the stores whose objects may be named: a row must not name any file.

    Raises:
        InvalidRequestError: it names no object in them.
    """
    path = _path(_split(url))
    for root in roots:
        if path is not None and path.is_relative_to(root.path):
            key = path.relative_to(root.path).as_posix()
            if is_key(key) and path != root.path:
                return ObjectAddress(str(root.path), key)
    shown = url.partition("?")[0].partition("#")[0].rpartition("@")[2][:200]
    raise InvalidRequestError(
        f"not the URL of an object in ARTIFACTS_STORE={roots[0].url}: {shown!r}"
    )


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _path(parts: SplitResult | None) -> Path | None:
    if parts is None or parts.scheme != SCHEME or parts.netloc not in _LOCAL:
        return None
    path = unquote(parts.path)
    return Path(path) if path.startswith("/") and "\0" not in path else None
