"""What code of platforms may read of a stored object by its former names."""

from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.checksums import SHA256, Checksum


def test_the_former_names_of_a_stored_object_still_work() -> None:
    checksum = Checksum(SHA256, "c2hh", parts=3)
    stored = StoredObject(
        key="k", size=1, sha256="ab", version='"v"', checksum=checksum, tier_name="GLACIER"
    )
    former = (stored.etag, stored.storage_class, stored.s3_checksum)
    assert former == ('"v"', "GLACIER", "c2hh-3")


def test_an_object_without_a_checksum_has_an_empty_one() -> None:
    assert StoredObject(key="k", size=1, sha256="ab", version="v").s3_checksum == ""
