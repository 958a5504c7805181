"""The contracts of the ports over files. Where a directory has no such thing, it is refused."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import UnsupportedByStoreError
from artifact_pipeline.domain.model.objects import ObjectAddress
from tests.contract import copier_contract, reader_contract, store_contract
from tests.contract.copier_contract import SMALL, copy
from tests.file_store.steps import Shelf


class TestStore(store_contract.ObjectStoreContract):
    @pytest.fixture
    def adapter(self, shelf: Shelf) -> store_contract.Adapter:
        return store_contract.Adapter(
            shelf.store,
            body=shelf.body,
            described=shelf.described,
            replace=lambda key, body: Path(shelf.root.path, key).write_bytes(body),
            delete=lambda key: Path(shelf.root.path, key).unlink(),
        )


class TestReader(reader_contract.ObjectReaderContract):
    @pytest.fixture
    def adapter(self, shelf: Shelf) -> reader_contract.Adapter:
        return reader_contract.Adapter(
            shelf.reader,
            shelf.put,
            archive=shelf.put,
            delete=lambda address: shelf.copier.delete([address]),
            other_bucket=str(shelf.other.path),
        )

    def test_what_is_archived_is_found_and_not_read(self, adapter: reader_contract.Adapter) -> None:
        assert not adapter.stored(SMALL).is_archived


class _Classes:
    """What the contract says of storage classes: a directory has one."""

    def test_the_copy_is_of_the_wanted_class(self, adapter: copier_contract.Adapter) -> None:
        there = adapter.stored(SMALL)
        assert copy(adapter.copier, there, storage_class="STANDARD").storage_class == "STANDARD"

    @pytest.mark.parametrize("wanted", ["STANDARD_IA", "GLACIER"])
    def test_another_class_is_refused(self, adapter: copier_contract.Adapter, wanted: str) -> None:
        there = adapter.stored(SMALL)
        with pytest.raises(UnsupportedByStoreError, match=f"no storage class {wanted}"):
            copy(adapter.copier, there, storage_class=wanted)
        assert adapter.body(copier_contract.KEY) is None

    def test_an_object_changes_its_class_where_it_is(
        self, adapter: copier_contract.Adapter
    ) -> None:
        there = adapter.stored(SMALL)
        with pytest.raises(UnsupportedByStoreError):
            copy(
                adapter.copier,
                there,
                there.address.key,
                replaces=there.etag,
                storage_class="GLACIER",
            )
        assert adapter.found(there.address) == there

    def test_the_same_bytes_in_another_class_are_not_taken(self) -> None:
        """There is no other class."""

    def test_the_same_bytes_may_be_in_any_class_if_none_is_wanted(self) -> None:
        """There is no other class."""


class TestCopier(
    _Classes, copier_contract.ObjectCopierContract, copier_contract.FencedCopierContract
):
    @pytest.fixture
    def adapter(self, shelf: Shelf) -> copier_contract.Adapter:
        return copier_contract.Adapter(
            shelf.copier,
            shelf.reader,
            shelf.put,
            body=shelf.body,
            described=shelf.described,
            other_bucket=str(shelf.other.path),
            put_with=shelf.put_with,
            headers=shelf.headers,
            sends=True,
        )

    def test_only_what_is_named_is_deleted(self, adapter: copier_contract.Adapter) -> None:
        # Given: unlike in a bucket, no key continues that of a file
        other = adapter.other_bucket
        addresses = [adapter.address("a b"), adapter.address("ä/+%?"), ObjectAddress(other, "a b")]
        others = [adapter.address("a b.c"), adapter.address("ä/x"), ObjectAddress(other, "ä+%?&<>")]
        for address in (*addresses, *others):
            adapter.put(address, SMALL)
        # When / Then
        assert adapter.copier.delete(addresses) == {}
        assert [adapter.reader.find(address) for address in addresses] == [None] * 3
        assert None not in [adapter.reader.find(address) for address in others]
