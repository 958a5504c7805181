"""When the checksum of an object's parts takes the place of reading its file back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import ChecksumMismatchError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.transfers.ranged_download import Fetch
from artifact_pipeline.worker.s3.checksums import composite, sha256_checksum
from artifact_pipeline.worker.s3.part_sizes import likely_part_size
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.workspace import Workspace
from tests.s3.steps import KEY, MIB, PART, Requests, client_at, put, random_bytes, store_of

CONTENT = random_bytes(3 * PART + 1)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)


@dataclass
class Bucket:
    client: S3Client
    name: str
    root: Path

    @property
    def reader(self) -> S3ObjectReader:
        return S3ObjectReader(client=self.client, bucket=self.name)

    def recorded(self, part_size: int) -> BucketObject:
        """Upload CONTENT, and return the object as its row has it."""
        stored = put(store_of(self.client, self.name, part_size=part_size), CONTENT)
        return BucketObject(
            address=ObjectAddress(self.name, KEY),
            size=stored.size,
            version=stored.version,
            modified_at=datetime.now(UTC),
            sha256=stored.sha256,
            checksums=(stored.checksum,) if stored.checksum else (),
        )

    def fetch(self, source: BucketObject) -> list[str]:
        """Return the requests that it took."""
        requests = Requests(self.client)
        fetch = Fetch(reader=self.reader, range_size=PART, threads=2)
        target = Workspace(self.root).target(RESULTS)
        fetch(source, target, replace=False, checkpoint=lambda: None)
        return requests.names


@pytest.fixture
def made(s3_client: S3Client, bucket: str, tmp_path: Path) -> Bucket:
    return Bucket(s3_client, bucket, tmp_path)


def digests_of(content: bytes, size: int = PART) -> list[bytes]:
    starts = range(0, len(content), size)
    return [sha256(content[start : start + size]).digest() for start in starts]


@pytest.mark.parametrize(
    ("part_size", "ranges"), [(PART, 4), (2 * PART, 2), (PART // 2, 7), (PART // 8, 4)]
)
def test_a_recorded_object_costs_its_ranges_alone(
    made: Bucket, part_size: int, ranges: int
) -> None:
    # Given
    source = made.recorded(part_size)
    # When / Then
    assert made.fetch(source) == ["GetObject"] * ranges
    assert (made.root / "job_12" / "run_4_results.zip").read_bytes() == CONTENT


def test_parts_as_large_as_the_ranges_prove_it(made: Bucket) -> None:
    source = made.recorded(PART)
    assert made.reader.is_proven(source, digests_of(CONTENT))
    assert not made.reader.is_proven(source, digests_of(CONTENT[:-1] + b"x"))
    assert not made.reader.is_proven(source, digests_of(CONTENT)[::-1])
    assert not made.reader.is_proven(source, digests_of(CONTENT, 2 * PART))


@pytest.mark.parametrize("part_size", [MIB, 8 * MIB, 10 * MIB, 16 * MIB, 64 * MIB])
@pytest.mark.parametrize("size", [65 * MIB, 200 * MIB + 1, 1024 * MIB, 1024 * MIB - 1, 10**9])
def test_a_usual_part_size_is_derived(part_size: int, size: int) -> None:
    assert likely_part_size(size, -(-size // part_size)) == part_size


@given(size=st.integers(2, 10**13), parts=st.integers(2, 10_000))
def test_a_derived_part_size_gives_that_number_of_parts(size: int, parts: int) -> None:
    derived = likely_part_size(size, parts)
    assert derived is None or -(-size // derived) == parts


def test_some_numbers_of_parts_have_no_size() -> None:
    assert likely_part_size(5, 4) is None


@pytest.mark.parametrize(
    ("checksum", "chosen"),
    [
        ("AAAA-64", 16),
        ("AAAA-128", 8),
        ("AAAA-16", 64),
        ("AAAA-8", 16),
        ("AAAA-1024", 16),
        ("AAAA-1", 16),
        ("AAAA-0", 16),
        ("AAAA-x", 16),
        ("64", 16),
        ("", 16),
    ],
)
def test_ranges_are_as_large_as_parts_that_are_near(checksum: str, chosen: int) -> None:
    # Given an object of 1 GiB
    source = BucketObject(
        address=ObjectAddress("bucket", KEY),
        size=1024 * MIB,
        version="e",
        modified_at=datetime.now(UTC),
        checksums=(sha256_checksum(checksum),),
    )
    reader = S3ObjectReader(client=client_at(None), bucket="bucket")
    # When / Then
    assert reader.range_size(source, 16 * MIB) == chosen * MIB


def test_one_range_is_proven_by_the_sha256(made: Bucket) -> None:
    source = made.recorded(PART)
    assert made.reader.is_proven(source, digests_of(CONTENT, len(CONTENT)))
    assert not made.reader.is_proven(source, digests_of(CONTENT[::-1], len(CONTENT)))


def test_nothing_is_proven_by_no_checksum(made: Bucket) -> None:
    unknown = BucketObject(
        address=ObjectAddress(made.name, KEY), size=1, version="e", modified_at=datetime.now(UTC)
    )
    for digests in ([], digests_of(b"x"), digests_of(CONTENT)):
        assert not made.reader.is_proven(unknown, digests)


def test_bytes_other_than_the_row_says_do_not_appear(made: Bucket) -> None:
    # Given an object with other bytes than its row says
    source = made.recorded(PART)
    other = CONTENT[::-1]
    wrong = BucketObject(
        address=source.address,
        size=source.size,
        version=source.version,
        modified_at=source.modified_at,
        sha256=sha256(other).hexdigest(),
        checksums=(sha256_checksum(composite(digests_of(other))),),
    )
    # When / Then nothing appears
    with pytest.raises(ChecksumMismatchError):
        made.fetch(wrong)
    assert list((made.root / "job_12").iterdir()) == []
