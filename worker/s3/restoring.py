"""Restoring objects from GLACIER and DEEP_ARCHIVE: `IObjectRestorer` over boto3.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import RefusedByStoreError
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.model.restorations import NOT_RESTORED, Restoration, RestoreSpeed
from artifact_pipeline.worker.s3.errors import code_of, missing_means_replaced, translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import TierType

_TIERS: "dict[RestoreSpeed, TierType]" = {
    RestoreSpeed.EXPEDITED: "Expedited",
    RestoreSpeed.STANDARD: "Standard",
    RestoreSpeed.BULK: "Bulk",
}
_ALREADY = "RestoreAlreadyInProgress"
_NO_CAPACITY = "GlacierExpeditedRetrievalNotAvailable"
_DEEP = "DEEP_ARCHIVE"
_EXPIRY = re.compile(r'expiry-date="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ObjectRestorer:
    client: "S3Client"

    def check_supported(self) -> None:
        """Accept: a store that lacks RestoreObject says so when it is asked."""

    def restore(self, there: BucketObject, *, days: int, speed: RestoreSpeed) -> None:
        if there.tier_name == _DEEP and speed is RestoreSpeed.EXPEDITED:
            raise RefusedByStoreError(
                f"{there.address.url}: {_DEEP} has no expedited restores. Use --tier standard, "
                "or bulk"
            )
        with translated_errors(), missing_means_replaced():
            try:
                self._send(there, days, speed)
            except ClientError as error:
                if code_of(error) == _NO_CAPACITY:
                    raise RefusedByStoreError(
                        f"{there.address.url}: no capacity for an expedited restore now "
                        f"({_NO_CAPACITY}). Try again later, or use --tier standard"
                    ) from error
                if code_of(error) != _ALREADY:
                    raise

    def _send(self, there: BucketObject, days: int, speed: RestoreSpeed) -> None:
        self.client.restore_object(
            Bucket=there.address.bucket,
            Key=there.address.key,
            RestoreRequest={"Days": days, "GlacierJobParameters": {"Tier": _TIERS[speed]}},
        )


def restoration_of(header: str | None) -> Restoration:
    """Return what the header `x-amz-restore` says; without it, the object was not restored."""
    if header is None:
        return NOT_RESTORED
    if 'ongoing-request="true"' in header:
        return Restoration(is_under_way=True)
    found = _EXPIRY.search(header)
    return Restoration(until=None if found is None else _moment(found[1]))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
