"""Which object a URL names, in every form that S3 has had.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/dual-stack-endpoints.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration-getting-started.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
"""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.endpoints import Endpoint
from artifact_pipeline.domain.model.objects import ObjectAddress

_BUCKET = r"[a-z0-9][a-z0-9._-]{1,61}?[a-z0-9]"
_REGION = r"[a-z]{2,5}(?:-[a-z]+)+-\d+"
AWS_DOMAINS = (
    *("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"),
    *("c2s.ic.gov", "sc2s.sgov.gov", "cloud.adc-e.uk", "csp.hci.ic.gov"),
)
"""One for each partition of AWS."""
_DOMAIN = f"(?:{'|'.join(map(re.escape, AWS_DOMAINS))})"
# The names are s3, s3-fips, s3.dualstack, each with the region behind a dot, or in old URLs behind
# a hyphen; accelerate has no region. The label `bucket` before a VPC endpoint names no bucket.
_SERVICE = (
    rf"(?:s3-accelerate(?:\.dualstack)?"
    rf"|s3(?:-fips)?(?:\.dualstack)?(?:[.-]{_REGION})?"
    rf"|(?:bucket\.)?vpce-[a-z0-9-]+\.s3\.{_REGION}\.vpce"
    rf"|s3-external-1)"
)
_AWS = re.compile(rf"(?:(?P<bucket>{_BUCKET})\.)??{_SERVICE}\.{_DOMAIN}")
# The oldest buckets may have capitals, and more characters.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_QUERY = re.compile(r"\?[A-Za-z][\w-]*=[^/?]*$")
# Hadoop's connectors write s3a or s3n.
_PLAIN = re.compile(r"s3[an]?://", re.IGNORECASE)
_OBJECT_ARN = re.compile(r"arn:aws[a-z-]*:s3:::(?P<bucket>[^/:]+)/(?P<key>.+)", re.DOTALL)
_ACCESS_POINT = "the URL of an access point does not name its bucket"
_OTHER_HOSTS = {
    re.compile(rf"(?:.+\.)?{host}"): why
    for host, why in {
        rf"s3-(?:accesspoint|object-lambda|outposts)[.-].+\.{_DOMAIN}": _ACCESS_POINT,
        rf"accesspoint\.(?:vpce-.+|s3-global)\.{_DOMAIN}": _ACCESS_POINT,
        rf"s3-website[.-].+\.{_DOMAIN}": "a website endpoint can answer with another object",
        rf"s3express-.+\.{_DOMAIN}": "directory buckets are not supported",
        rf"(?:s3-control|control\.vpce)[.-].+\.{_DOMAIN}": "S3 Control has no objects",
        r"console\.(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)": (
            "it is a page of the AWS console"
        ),
    }.items()
}
"""Hosts of AWS that are meant for something else, with the reason."""


def aws_url(address: ObjectAddress) -> str:
    """Return the URL of an object at AWS, as the platform writes it: in no region, not quoted."""
    return f"https://{address.bucket}.s3.amazonaws.com/{address.key}"


def parse_address(url: str, endpoints: Sequence[Endpoint] = ()) -> ObjectAddress:
    """Return the bucket and key of an object's URL; its query, signed or not, does not count.

    Args:
        url: `s3://`, an object's ARN, virtual-hosted or path-style.
        endpoints: of an S3 that is not AWS's, whose URLs are known too.

    Raises:
        InvalidRequestError: it names no object; in a line that does not quote the query.
    """
    plain = _PLAIN.sub("", url, count=1)
    if plain.startswith("arn:"):
        return _of_arn(plain)
    parts = _split(url)
    if parts.scheme == "s3":
        # Nothing in such an address is encoded: what looks like an escape belongs to the key.
        return _address(parts.netloc, parts.path.removeprefix("/"), url)
    if parts.scheme not in {"http", "https"}:
        raise _refused(url)
    return _of_http(parts, endpoints, url)


def _of_http(parts: SplitResult, endpoints: Sequence[Endpoint], url: str) -> ObjectAddress:
    at = _endpoint(url)
    below = _on_host_of(at, parts.path, endpoints)
    if below is not None:
        return _in_path(below, url)
    for pattern, why in _OTHER_HOSTS.items():
        if pattern.fullmatch(at.host):
            raise _refused(url, why)
    aws = _AWS.fullmatch(at.host)
    if aws is None:
        return _in_host(*_on_host_below(at, parts.path, endpoints, url), url)
    bucket = aws["bucket"]
    return _in_path(parts.path, url) if bucket is None else _in_host(bucket, parts.path, url)


def _on_host_of(at: Endpoint, path: str, endpoints: Sequence[Endpoint]) -> str | None:
    """Return the path below the endpoint at this host, if there is one."""
    here = [each for each in endpoints if (each.host, each.port) == (at.host, at.port)]
    below = filter(None, (_below(each, path) for each in here))
    # One endpoint's path may be below another's.
    return min(below, key=len, default=None)


def _on_host_below(
    at: Endpoint, path: str, endpoints: Sequence[Endpoint], url: str
) -> tuple[str, str]:
    """Return the bucket before an endpoint's host, and the path below that endpoint."""
    for endpoint in endpoints:
        bucket = at.host.removesuffix(f".{endpoint.host}")
        if bucket == at.host or at.port != endpoint.port or endpoint.has_ip_address:
            continue
        below = _below(endpoint, path)
        if below and re.fullmatch(_BUCKET, bucket):
            return bucket, below
    raise _refused(url)


def _below(endpoint: Endpoint, path: str) -> str | None:
    """Return the part of a path that follows the endpoint's own; None if it is not below that."""
    rest = path.removeprefix(endpoint.path)
    is_below = path.startswith(endpoint.path) and rest.startswith("/")
    return rest if is_below else None


def _of_arn(arn: str) -> ObjectAddress:
    match = _OBJECT_ARN.fullmatch(arn)
    if match is None:
        is_access_point = re.match(r"arn:[^/]*:accesspoint\b", arn)
        raise _refused(arn, _ACCESS_POINT if is_access_point else "it is not the ARN of an object")
    return _address(match["bucket"], match["key"], arn)


def _in_path(path: str, url: str) -> ObjectAddress:
    bucket, _, key = path.removeprefix("/").partition("/")
    return _address(bucket, unquote(key), url)


def _in_host(bucket: str, path: str, url: str) -> ObjectAddress:
    # Remove only the slash that separates the key: a key may begin with a slash.
    return _address(bucket, unquote(path.removeprefix("/")), url)


def _address(bucket: str, key: str, url: str) -> ObjectAddress:
    if not _NAME.fullmatch(bucket) or not key:
        raise _refused(url)
    return ObjectAddress(bucket, key)


def _split(url: str) -> SplitResult:
    try:
        if _PLAIN.match(url):
            # A question mark belongs to such a key too, unless a query follows.
            plain = _QUERY.sub("", _PLAIN.sub("", url, count=1))
            bucket, _, key = plain.partition("/")
            return SplitResult("s3", bucket, f"/{key}", "", "")
        return urlsplit(url)
    except ValueError:
        raise _refused(url) from None


def _endpoint(url: str) -> Endpoint:
    try:
        return Endpoint.of(url)
    except ValueError:
        raise _refused(url) from None


def _refused(url: str, why: str = "") -> InvalidRequestError:
    shown = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("@")[2][:200]
    remedy = f": {why}. Use s3://BUCKET/KEY" if why else ""
    return InvalidRequestError(f"not the URL of an object in S3: {shown!r}{remedy}")
