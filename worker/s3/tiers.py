"""The storage classes of S3, as tiers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
"""

from artifact_pipeline.domain.model.objects import Tier

ARCHIVES = ("GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
DEFAULT_ARCHIVE = "GLACIER"
_OFFLINE = ("GLACIER", "DEEP_ARCHIVE")


def tier(storage_class: str) -> Tier:
    """Return the tier that S3 calls a storage class; a class that is not known is no archive."""
    return Tier(
        storage_class,
        is_archive=storage_class in ARCHIVES,
        must_be_restored=storage_class in _OFFLINE,
    )
