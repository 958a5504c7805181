"""What every reader of objects promises: one suite, run over each adapter."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import pytest

from artifact_pipeline.domain.errors import (
    ArchivedError,
    ChecksumMismatchError,
    ObjectReplacedError,
)
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.object_store import IObjectReader
from tests.s3.steps import KEY, MIB, random_bytes

CONTENT = random_bytes(2 * MIB + 1)
ARCHIVED_KEY = "jobs/11/archived.zip"


@dataclass(frozen=True)
class Adapter:
    """A reader, and a hand in what is behind it."""

    reader: IObjectReader
    put: Callable[[ObjectAddress, bytes], object]
    archive: Callable[[ObjectAddress, bytes], object]
    delete: Callable[[ObjectAddress], object]
    other_bucket: str

    def address(self, key: str = KEY) -> ObjectAddress:
        return ObjectAddress(self.reader.bucket, key)

    def stored(self, content: bytes, address: ObjectAddress | None = None) -> BucketObject:
        address = address or self.address()
        self.put(address, content)
        found = self.reader.find(address)
        assert found is not None
        return found

    def found(self, key: str) -> BucketObject:
        found = self.reader.find(self.address(key))
        assert found is not None
        return found

    def read(self, source: BucketObject, start: int = 0, stop: int | None = None) -> bytes:
        return b"".join(self.reader.read(source, start, stop))

    def check(self, source: BucketObject, content: bytes) -> None:
        verifier = self.reader.verifier(source)
        for at in range(0, len(content), 1000):
            verifier.update(content[at : at + 1000])
        verifier.check()


class ObjectReaderContract:
    def test_what_is_not_there_is_not_found(self, adapter: Adapter) -> None:
        assert adapter.reader.find(adapter.address()) is None

    def test_what_is_there_is_described(self, adapter: Adapter) -> None:
        source = adapter.stored(CONTENT)
        assert (source.address, source.size) == (adapter.address(), len(CONTENT))
        assert source.sha256 == sha256(CONTENT).hexdigest()
        assert source.tier_name == "STANDARD"
        assert source.modified_at.tzinfo
        assert source.version

    def test_an_address_may_name_another_bucket(self, adapter: Adapter) -> None:
        source = adapter.stored(CONTENT, ObjectAddress(adapter.other_bucket, "old/results.zip"))
        assert adapter.read(source) == CONTENT
        assert adapter.reader.find(adapter.address("old/results.zip")) is None

    @pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["empty", "a byte", "large"])
    def test_all_of_it_is_read(self, adapter: Adapter, content: bytes) -> None:
        assert adapter.read(adapter.stored(content)) == content

    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, 1), (1, 2), (7, MIB), (MIB, 2 * MIB + 1), (2 * MIB, None), (5, 5), (0, None)],
    )
    def test_any_part_of_it_is_read(self, adapter: Adapter, start: int, stop: int | None) -> None:
        assert adapter.read(adapter.stored(CONTENT), start, stop) == CONTENT[start:stop]

    def test_no_chunk_is_large(self, adapter: Adapter) -> None:
        source = adapter.stored(CONTENT)
        assert max(map(len, adapter.reader.read(source))) <= MIB

    @pytest.mark.parametrize("stop", [None, 10], ids=["all", "a part"])
    def test_another_object_is_not_read(self, adapter: Adapter, stop: int | None) -> None:
        source = adapter.stored(CONTENT)
        adapter.put(source.address, CONTENT[::-1])
        with pytest.raises(ObjectReplacedError):
            adapter.read(source, 0, stop)

    def test_what_was_deleted_is_not_read(self, adapter: Adapter) -> None:
        source = adapter.stored(CONTENT)
        adapter.delete(source.address)
        with pytest.raises(ObjectReplacedError):
            adapter.read(source)

    def test_what_is_archived_is_found_and_not_read(self, adapter: Adapter) -> None:
        # Given
        adapter.archive(adapter.address(ARCHIVED_KEY), CONTENT)
        # When
        source = adapter.reader.find(adapter.address(ARCHIVED_KEY))
        # Then
        assert source is not None
        assert source.tier_name == "GLACIER"
        assert (source.tier.is_archive, source.tier.must_be_restored) == (True, True)
        with pytest.raises(ArchivedError):
            adapter.read(source)

    def test_a_tier_that_is_recorded_by_its_name_is_known(self, adapter: Adapter) -> None:
        adapter.archive(adapter.address(ARCHIVED_KEY), CONTENT)
        for source in (adapter.stored(CONTENT), adapter.found(ARCHIVED_KEY)):
            assert adapter.reader.tier(source.tier.name) == source.tier

    def test_all_below_a_prefix_is_listed(self, adapter: Adapter) -> None:
        # Given
        bodies = {f"jobs/12/{number} ä+%.zip": bytes(number) for number in range(3)}
        for key, body in {**bodies, "jobs/120/x": b"1", "backups/x": b"2"}.items():
            adapter.put(adapter.address(key), body)
        # When
        listed = list(adapter.reader.list("jobs/12/"))
        # Then
        assert {each.address.key: each.size for each in listed} == {
            key: len(body) for key, body in bodies.items()
        }
        assert all(adapter.read(each) == bodies[each.address.key] for each in listed)

    def test_a_listing_is_in_the_order_of_bytes_and_can_be_continued(
        self, adapter: Adapter
    ) -> None:
        # Given keys whose order differs by language, by directory and by length
        keys = ["jobs/12/a/x", "jobs/12/a-b", "jobs/12/Z", "jobs/12/z", "jobs/12/ä", "jobs/120/x"]
        for key in keys:
            adapter.put(adapter.address(key), b"1")
        # When
        listed = [each.address.key for each in adapter.reader.list("jobs/")]
        # Then
        assert listed == sorted(keys, key=str.encode)
        for at, key in enumerate(listed):
            rest = [each.address.key for each in adapter.reader.list("jobs/", after=key)]
            assert rest == listed[at + 1 :]

    def test_a_prefix_without_anything_lists_nothing(self, adapter: Adapter) -> None:
        assert list(adapter.reader.list("jobs/12/")) == []

    @pytest.mark.parametrize("content", [b"", CONTENT], ids=["empty", "large"])
    def test_its_own_bytes_are_the_objects(self, adapter: Adapter, content: bytes) -> None:
        adapter.check(adapter.stored(content), content)

    @pytest.mark.parametrize(
        "other",
        [CONTENT[:-1], CONTENT + b"x", CONTENT[::-1], b"\0" + CONTENT[1:]],
        ids=["fewer", "more", "in another order", "one other"],
    )
    def test_other_bytes_are_not_the_objects(self, adapter: Adapter, other: bytes) -> None:
        source = adapter.stored(CONTENT)
        with pytest.raises(ChecksumMismatchError):
            adapter.check(source, other)

    def test_what_was_only_listed_is_compared_as_well(self, adapter: Adapter) -> None:
        # Given
        adapter.put(adapter.address(), CONTENT)
        [listed] = adapter.reader.list("jobs/")
        # When / Then
        adapter.check(listed, CONTENT)
        with pytest.raises(ChecksumMismatchError):
            adapter.check(listed, CONTENT[::-1])
