"""The headers, metadata and tags that a copy takes over from its source.

S3 copies none of them into a multipart upload: CreateMultipartUpload (or PutObject) is given them.
Access control lists are not carried: reading them takes another permission, and buckets have had
them disabled by default since 2023. A copy gets the bucket's default.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    NotCopyableError,
    RefusedByStoreError,
    TransferError,
)
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.dates import date_of
from artifact_pipeline.worker.s3.errors import code_of
from artifact_pipeline.worker.s3.object_tags import read_tags

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_HEADERS = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "Metadata", "WebsiteRedirectLocation"),
)
_RETENTION = ("ObjectLockMode", "ObjectLockRetainUntilDate")
_HOLDS = (
    *("ObjectLockLegalHoldStatus", "ObjectLockEventHold"),
    *("ObjectLockEventHoldDurationDays", "ObjectLockEventHoldDurationYears"),
)
_NO_TYPE = {None, "", "binary/octet-stream", "application/octet-stream"}
"""What servers answer for an object that was put without a type."""
_DENIED = {"AccessDenied", "403"}
_PERMISSIONS = {
    "Tagging": "s3:PutObjectTagging",
    "ObjectLockMode": "s3:PutObjectRetention",
    "ObjectLockLegalHoldStatus": "s3:PutObjectLegalHold",
    "ObjectLockEventHold": "s3:PutObjectLegalHold",
}
"""By argument: what the writer of an object needs beside s3:PutObject."""


def kept_headers(head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments by which an object is made like the one that was looked at.

    PutObject and CreateMultipartUpload take them. Tags are not among them: see `kept_tags`.

    Args:
        head: the answer of HeadObject or GetObject.
    """
    names = [*_HEADERS, *_HOLDS]
    until: datetime | None = head.get("ObjectLockRetainUntilDate")
    # S3 refuses a retention that has ended, and such a one protects nothing.
    if until is not None and until > _answered_at(head):
        names += _RETENTION
    kept = {name: head[name] for name in names if head.get(name)}
    # botocore leaves out what it cannot parse; `described` refuses it, or it would be lost.
    unread = {name: head[name] for name in ("ExpiresString", "MissingMeta") if head.get(name)}
    if "Expires" in kept:
        unread.pop("ExpiresString", None)
    return {**kept, **unread}


def kept_tags(client: "S3Client", address: ObjectAddress) -> dict[str, str]:
    """Return the argument that gives an object the tags of another, empty if it has none.

    HeadObject has their number only for those who may read them, so none there does not mean that
    there are none.

    Raises:
        AccessDeniedError: they may not be read.
        ObjectReplacedError: the object is not there any more.
        TransferError: S3 does not answer.
    """
    try:
        tags = read_tags(client, address) or {}
    except AccessDeniedError as error:
        cause = error.__cause__
        if not isinstance(cause, ClientError) or code_of(cause) not in _DENIED:
            raise  # wrong credentials
        raise AccessDeniedError(
            "GetObjectTagging: AccessDenied. Nothing was copied, because a copy must keep the tags:"
            " allow s3:GetObjectTagging and s3:PutObjectTagging"
        ) from error
    return {"Tagging": urlencode(sorted(tags.items()), quote_via=quote)} if tags else {}


def described(
    kept: Mapping[str, Any], *, content_type: str, metadata: Mapping[str, str]
) -> dict[str, Any]:
    """Return the arguments of a copy: the source's, with the pipeline's own metadata.

    Args:
        kept: of the source, as `kept_headers` and `kept_tags` return it.
        content_type: of a copy whose source has none.
        metadata: the pipeline's; it replaces metadata of the same names.

    Raises:
        NotCopyableError: S3 would not store some of it unchanged.
    """
    if missing := kept.get("MissingMeta"):
        raise NotCopyableError(
            f"{missing} values of the source's metadata cannot be read by HTTP, so a copy cannot"
            " keep them. Correct the metadata"
        )
    if expires := kept.get("ExpiresString"):
        raise NotCopyableError(f"the source's Expires is not a date: {expires!r}. Correct it")
    for name, value in {**kept, **kept.get("Metadata", {})}.items():
        _require_ascii(name, value)
    own_type = kept.get("ContentType")
    return {
        **kept,
        "ContentType": content_type if own_type in _NO_TYPE else own_type,
        "Metadata": {**kept.get("Metadata", {}), **metadata},
    }


def explained(error: TransferError, described: Mapping[str, Any]) -> TransferError:
    """Return the refusal of a copy with what the source has that may be its cause.

    Args:
        error: the refusal.
        described: the arguments of the copy.
    """
    said = str(error)
    if not said.startswith(("CreateMultipartUpload: ", "PutObject: ")):
        return error
    if said.endswith(": MetadataTooLarge"):
        size = sum(len(name) + len(value) for name, value in described["Metadata"].items())
        return NotCopyableError(
            f"{said}. The source's metadata and the pipeline's have {size:,} bytes, and S3 takes at"
            " most 2,048. Shorten the source's"
        )
    needed = sorted({permission for name, permission in _PERMISSIONS.items() if name in described})
    if needed and isinstance(error, AccessDeniedError):
        return AccessDeniedError(f"{said}. To keep the source's headers, allow {', '.join(needed)}")
    if needed and isinstance(error, RefusedByStoreError):
        carried = ", ".join(name for name in _PERMISSIONS if name in described)
        return RefusedByStoreError(f"{said}. The copy keeps the source's {carried}")
    return error


def _require_ascii(name: str, value: object) -> None:
    # A signature covers the headers, and servers do not agree on how other bytes count in it.
    # AWS itself answers such metadata in RFC 2047, which is ASCII and is sent back unchanged.
    if not name.isascii() or (isinstance(value, str) and not value.isascii()):
        raise NotCopyableError(
            f"the source's {name} has characters that a copy cannot keep: {value!r}. Use ASCII"
        )


def _answered_at(head: Mapping[str, Any]) -> datetime:
    return date_of({"ResponseMetadata": {"HTTPHeaders": {}}, **head})
