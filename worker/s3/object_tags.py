"""The tags that an object has, and those that it should have."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import PermanentError, UnsupportedByStoreError
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.errors import (
    code_of,
    is_unsupported,
    missing_means_replaced,
    translated_errors,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_NO_TAGS = {"NoSuchTagSet", "NoSuchTagSetError"}
"""Answers of stores where this object has no tags."""
_NO_CODE = "500"
"""In the place of a missing code: rclone answers so. S3 names InternalError."""


def read_tags(client: "S3Client", address: ObjectAddress) -> dict[str, str] | None:
    """Return the tags of an object; None where the store has no tags at all.

    Raises:
        ObjectReplacedError: the object is not there any more.
        TransferError: S3 refuses, or does not answer.
    """
    with translated_errors(), missing_means_replaced():
        try:
            answer = client.get_object_tagging(Bucket=address.bucket, Key=address.key)
        except ClientError as error:
            if code_of(error) in _NO_TAGS:
                return {}
            if is_unsupported(error) or code_of(error) == _NO_CODE:
                return None
            raise
    return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", [])}


def ensure_tags(client: "S3Client", address: ObjectAddress, described: Mapping[str, Any]) -> None:
    """Give an object its tags, if the store ignored them in CreateMultipartUpload.

    Some stores do. An object without tags costs no request.

    Args:
        client: of the store.
        address: of the object.
        described: the arguments of the write.

    Raises:
        TransferError: the store refuses them.
    """
    if "Tagging" not in described:
        return
    wanted = dict(parse_qsl(described["Tagging"], keep_blank_values=True))
    existing = read_tags(client, address)
    if existing is None:
        # Such a store may take PutObjectTagging for a PutObject, and replace the bytes by the tags.
        raise UnsupportedByStoreError(
            "GetObjectTagging: the store does not support tags. Unset ARTIFACTS_S3_TAGS"
        )
    if existing == wanted:
        return
    tags: Any = [{"Key": key, "Value": value} for key, value in wanted.items()]
    with translated_errors(), missing_means_replaced():
        client.put_object_tagging(Bucket=address.bucket, Key=address.key, Tagging={"TagSet": tags})


def ensure_tags_of_upload(
    client: "S3Client", bucket: str, stored: StoredObject, described: Mapping[str, Any]
) -> None:
    """Give an object that was uploaded in parts its tags, if the store ignored them.

    A refusal is logged: the object is stored, and sending it again would not help.

    Raises:
        TransientError: the next attempt finds the object, and looks at its tags again.
    """
    if stored.checksum is None or not stored.checksum.parts:
        return  # PutObject: a store that ignores its tags has none, which the probe finds
    try:
        ensure_tags(client, ObjectAddress(bucket, stored.key), described)
    except PermanentError as error:
        logger.warning(
            "%s: stored, but it may lack its tags: %s. `artifacts doctor --probe` shows whether the"
            " store keeps ARTIFACTS_S3_TAGS",
            stored.key,
            error,
        )
