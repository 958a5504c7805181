"""What every copier promises: one suite, run over each adapter."""

from dataclasses import replace
from hashlib import sha256

import pytest

from artifact_pipeline.domain.errors import LeaseLostError, ObjectReplacedError
from artifact_pipeline.domain.model.objects import ObjectAddress
from tests.contract.copier_steps import OLD_KEY, SMALL, Adapter, copy, each_size
from tests.s3.steps import CONTENT_TYPE, KEY, METADATA, Progress


class AnyCopierContract:
    """For adapters over any store."""

    @each_size
    def test_the_bytes_arrive_and_stay_where_they_were(
        self, adapter: Adapter, content: bytes
    ) -> None:
        copy(adapter.copier, adapter.stored(content))
        assert adapter.body(KEY) == adapter.body(OLD_KEY) == content

    @each_size
    def test_the_answer_describes_the_copy(self, adapter: Adapter, content: bytes) -> None:
        stored = copy(adapter.copier, adapter.stored(content))
        found = adapter.found(adapter.address(KEY))
        sent = len(content) if adapter.sends else 0
        assert (stored.key, stored.size, stored.bytes_sent) == (KEY, len(content), sent)
        assert stored.sha256 == sha256(content).hexdigest()
        assert (stored.version, stored.tier_name) == (found.version, found.tier_name)
        assert stored.checksum

    @each_size
    def test_a_sha256_that_nobody_knew_is_found_out(self, adapter: Adapter, content: bytes) -> None:
        source = replace(adapter.stored(content), sha256=None)
        assert copy(adapter.copier, source).sha256 == sha256(content).hexdigest()
        assert adapter.body(KEY) == content

    @each_size
    def test_the_copy_says_what_it_is(self, adapter: Adapter, content: bytes) -> None:
        copy(adapter.copier, adapter.stored(content))
        content_type, metadata = adapter.described(KEY)
        assert content_type == CONTENT_TYPE
        assert metadata.items() >= METADATA.items()

    @each_size
    def test_the_copy_keeps_what_its_source_says(self, adapter: Adapter, content: bytes) -> None:
        # Given an object as a client has put it
        headers = {"ContentEncoding": "gzip", "CacheControl": "no-store", "ContentLanguage": "de"}
        described = {**headers, "ContentType": "text/csv", "Metadata": {"by": "u-17", "run": "no"}}
        adapter.put_with(adapter.address(), content, described)
        # When
        copy(adapter.copier, adapter.found(adapter.address()))
        # Then
        content_type, metadata = adapter.described(KEY)
        assert content_type == "text/csv"
        assert metadata.items() >= {**METADATA, "by": "u-17"}.items()
        assert adapter.headers(KEY).items() >= headers.items()

    @each_size
    def test_the_sha256_of_a_copy_is_known_without_reading_it(
        self, adapter: Adapter, content: bytes
    ) -> None:
        copy(adapter.copier, adapter.stored(content))
        assert adapter.found(adapter.address(KEY)).sha256 == adapter.known_sha256(content)

    @each_size
    def test_the_source_may_be_in_another_bucket(self, adapter: Adapter, content: bytes) -> None:
        source = adapter.stored(content, ObjectAddress(adapter.other_bucket, OLD_KEY))
        copy(adapter.copier, source)
        assert adapter.body(KEY) == content
        assert adapter.found(source.address) == source

    @pytest.mark.parametrize(
        "key", ["a b", "a+b", "100%", "a%20b", "what?", "a?versionId=b", "größe/✓", "a&b=c#d;e~'()"]
    )
    def test_any_key_can_be_copied(self, adapter: Adapter, key: str) -> None:
        source = adapter.stored(SMALL, adapter.address(key))
        copy(adapter.copier, source, f"copies/{key}")
        assert adapter.body(f"copies/{key}") == SMALL

    @each_size
    def test_what_is_at_the_key_is_not_replaced(self, adapter: Adapter, content: bytes) -> None:
        # Given
        source = adapter.stored(content)
        adapter.put(adapter.address(KEY), b"newer")
        # When / Then
        with pytest.raises(ObjectReplacedError):
            copy(adapter.copier, source)
        assert adapter.body(KEY) == b"newer"

    @each_size
    def test_the_same_bytes_are_taken_for_this_copy(self, adapter: Adapter, content: bytes) -> None:
        # Given a copy whose worker died before it could record it
        source = adapter.stored(content)
        first = copy(adapter.copier, source)
        # When
        again = copy(adapter.copier, source)
        # Then
        assert (again.version, again.sha256, again.size) == (
            first.version,
            first.sha256,
            first.size,
        )
        assert again.bytes_sent == 0

    @each_size
    def test_the_same_bytes_are_known_though_nobody_knew_their_sha256(
        self, adapter: Adapter, content: bytes
    ) -> None:
        source = replace(adapter.stored(content), sha256=None)
        first, again = copy(adapter.copier, source), copy(adapter.copier, source)
        assert (again.version, again.sha256, again.size) == (
            first.version,
            first.sha256,
            first.size,
        )

    @each_size
    @pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
    def test_of_a_source_that_changed_nothing_is_copied(
        self, adapter: Adapter, content: bytes, *, is_known: bool
    ) -> None:
        # Given
        source = adapter.stored(content)
        source = source if is_known else replace(source, sha256=None)
        adapter.put(source.address, bytes(max(len(content), 1)))
        # When / Then
        with pytest.raises(ObjectReplacedError):
            copy(adapter.copier, source)
        assert adapter.body(KEY) is None

    @each_size
    def test_of_a_source_that_is_gone_nothing_is_copied(
        self, adapter: Adapter, content: bytes
    ) -> None:
        # Given
        source = adapter.stored(content)
        adapter.copier.delete([source.address])
        # When / Then
        with pytest.raises(ObjectReplacedError):
            copy(adapter.copier, source)
        assert adapter.body(KEY) is None

    @each_size
    def test_a_lost_lease_copies_nothing(self, adapter: Adapter, content: bytes) -> None:
        source = adapter.stored(content)
        with pytest.raises(LeaseLostError):
            copy(adapter.copier, source, progress=Progress(lost_at=1))
        assert adapter.body(KEY) is None

    def test_only_what_is_named_is_deleted(self, adapter: Adapter) -> None:
        # Given
        addresses = [
            adapter.address("a b"),
            adapter.address("ä+%?&<>"),
            ObjectAddress(adapter.other_bucket, "a b"),
        ]
        others = [adapter.address("a b.c"), ObjectAddress(adapter.other_bucket, "ä+%?&<>")]
        for address in (*addresses, *others):
            adapter.put(address, SMALL)
        # When / Then
        assert adapter.copier.delete(addresses) == {}
        assert [adapter.reader.find(address) for address in addresses] == [None] * 3
        assert None not in [adapter.reader.find(address) for address in others]

    def test_what_is_gone_already_counts_as_deleted(self, adapter: Adapter) -> None:
        assert adapter.copier.delete([adapter.address("never-there")]) == {}

    def test_nothing_to_delete_is_no_error(self, adapter: Adapter) -> None:
        assert adapter.copier.delete([]) == {}


class ObjectCopierContract(AnyCopierContract):
    """For adapters over an object store, which has storage classes and no directories."""

    @each_size
    @pytest.mark.parametrize("wanted", ["STANDARD", "STANDARD_IA", "GLACIER"])
    def test_the_copy_is_of_the_wanted_class(
        self, adapter: Adapter, content: bytes, wanted: str
    ) -> None:
        stored = copy(adapter.copier, adapter.stored(content), tier_name=wanted)
        assert stored.tier_name == wanted
        assert adapter.found(adapter.address(KEY)).tier_name == wanted

    @each_size
    def test_an_object_changes_its_class_where_it_is(
        self, adapter: Adapter, content: bytes
    ) -> None:
        source = adapter.stored(content, adapter.address(KEY))
        stored = copy(adapter.copier, source, replaces=source.version, tier_name="STANDARD_IA")
        found = adapter.found(source.address)
        assert (found.tier_name, found.size) == ("STANDARD_IA", len(content))
        assert (found.version, found.sha256) == (stored.version, adapter.known_sha256(content))
        assert adapter.body(KEY) == content

    @each_size
    def test_the_same_bytes_in_another_class_are_not_taken(
        self, adapter: Adapter, content: bytes
    ) -> None:
        source = adapter.stored(content)
        copy(adapter.copier, source, tier_name="STANDARD")
        with pytest.raises(ObjectReplacedError):
            copy(adapter.copier, source, tier_name="STANDARD_IA")
        assert adapter.found(adapter.address(KEY)).tier_name == "STANDARD"

    def test_the_same_bytes_may_be_in_any_class_if_none_is_wanted(self, adapter: Adapter) -> None:
        source = adapter.stored(SMALL)
        copy(adapter.copier, source, tier_name="STANDARD_IA")
        assert copy(adapter.copier, source).tier_name == "STANDARD_IA"

    def test_a_key_that_continues_another_is_not_deleted_with_it(self, adapter: Adapter) -> None:
        for key in ("a b", "a b/c"):
            adapter.put(adapter.address(key), SMALL)
        assert adapter.copier.delete([adapter.address("a b")]) == {}
        assert adapter.reader.find(adapter.address("a b")) is None
        assert adapter.reader.find(adapter.address("a b/c")) is not None


class FencedCopierContract:
    """For adapters over what honours the condition on the object that is replaced."""

    @each_size
    def test_only_the_object_that_was_named_is_replaced(
        self, adapter: Adapter, content: bytes
    ) -> None:
        # Given
        source = adapter.stored(content)
        first = adapter.stored(b"first", adapter.address(KEY))
        newer = adapter.stored(b"newer", adapter.address(KEY))
        # When / Then
        with pytest.raises(ObjectReplacedError):
            copy(adapter.copier, source, replaces=first.version)
        assert adapter.body(KEY) == b"newer"
        copy(adapter.copier, source, replaces=newer.version)
        assert adapter.body(KEY) == content

    def test_an_object_that_is_gone_is_not_replaced(self, adapter: Adapter) -> None:
        # Given
        source = adapter.stored(SMALL)
        first = adapter.stored(b"first", adapter.address(KEY))
        adapter.copier.delete([first.address])
        # When / Then
        with pytest.raises(ObjectReplacedError):
            copy(adapter.copier, source, replaces=first.version)
        assert adapter.body(KEY) is None
