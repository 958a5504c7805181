"""Which object a URL names, in every form that S3 has had.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/dual-stack-endpoints.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration-getting-started.html
"""

import re
from urllib.parse import SplitResult, unquote, urlsplit

from domain.errors import InvalidRequestError
from domain.objects import ObjectAddress

_BUCKET = r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"
_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d+"
# s3, s3-fips, s3.dualstack, each with the region behind a dot, or in old URLs behind a hyphen;
# accelerate has none.
_SERVICE = (
    rf"(?:s3-accelerate(?:\.dualstack)?"
    rf"|s3(?:-fips)?(?:\.dualstack)?(?:[.-]{_REGION})?"
    rf"|s3-external-1)"
)
_AWS = re.compile(rf"(?:(?P<bucket>{_BUCKET})\.)??{_SERVICE}\.amazonaws\.com(?:\.cn)?")
# The oldest buckets may have capitals, and more characters.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_QUERY = re.compile(r"\?[A-Za-z][\w-]*=[^/?]*$")


def parse_address(url: str, endpoint_host: str | None = None) -> ObjectAddress:
    """The bucket and key of an object's URL; its query, signed or not, says nothing of them.

    Args:
        url: `s3://`, virtual-hosted or path-style.
        endpoint_host: of an S3 that is not AWS's, with its port, whose URLs are path-style.

    Raises:
        InvalidRequestError: it names no object; in a line that does not quote the query.
    """
    parts = _split(url)
    if parts.scheme == "s3":
        return _address(parts.netloc, parts.path, url)
    if parts.scheme not in {"http", "https"}:
        raise _refused(url)
    host = parts.netloc.rpartition("@")[2].lower()
    if endpoint_host is not None and host == endpoint_host.lower():
        return _in_path(parts.path, url)
    return _of_aws(host.partition(":")[0], parts.path, url)


def _of_aws(host: str, path: str, url: str) -> ObjectAddress:
    match = _AWS.fullmatch(host)
    if match is None:
        raise _refused(url)
    bucket = match["bucket"]
    return _in_path(path, url) if bucket is None else _address(bucket, path, url)


def _in_path(path: str, url: str) -> ObjectAddress:
    bucket, _, key = path.removeprefix("/").partition("/")
    return _address(bucket, f"/{key}", url)


def _address(bucket: str, path: str, url: str) -> ObjectAddress:
    # Only the slash that separates it: a key may begin with one of its own.
    key = path.removeprefix("/")
    if not _NAME.fullmatch(bucket) or not key:
        raise _refused(url)
    # In an s3:// URL nothing is encoded: what looks like it belongs to the key.
    is_plain = url.lower().startswith("s3:")
    return ObjectAddress(bucket, key if is_plain else unquote(key))


def _split(url: str) -> SplitResult:
    try:
        if url.lower().startswith("s3://"):
            # A question mark is no less a part of such a key, but where a query follows.
            bucket, _, key = _QUERY.sub("", url[5:]).partition("/")
            return SplitResult("s3", bucket, f"/{key}", "", "")
        return urlsplit(url)
    except ValueError:
        raise _refused(url) from None


def _refused(url: str) -> InvalidRequestError:
    shown = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("@")[2][:200]
    return InvalidRequestError(f"not the URL of an object in S3: {shown!r}")
