"""S3's clock, as its answers tell it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from artifact_pipeline.worker.s3.errors import translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ANY = "jobs/"
"""A prefix that every policy in docs/iam allows to list."""


def date_of(answer: Mapping[str, Any]) -> datetime:
    """Return when S3 gave the answer, in whole seconds.

    By this machine's clock if the answer has no date: HTTP lets a server without a clock leave it
    out.
    """
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)


def s3_now(client: "S3Client", bucket: str) -> datetime:
    """Ask S3 for the time, by a LIST of one key.

    Raises:
        TransferError: S3 refuses it, or does not answer.
    """
    with translated_errors():
        return date_of(client.list_objects_v2(Bucket=bucket, Prefix=_ANY, MaxKeys=1))
