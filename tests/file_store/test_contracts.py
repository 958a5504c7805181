"""The contracts of the ports over files. Where a directory has no such thing, it is refused."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import UnsupportedByStoreError
from tests.contract import copier_contract, reader_contract, store_contract
from tests.contract.copier_contract import SMALL, copy
from tests.file_store.steps import Shelf
from tests.s3.steps import KEY


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


class TestCopier(copier_contract.AnyCopierContract, copier_contract.FencedCopierContract):
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

    @pytest.mark.parametrize("wanted", ["STANDARD_IA", "GLACIER"])
    def test_a_storage_class_is_refused(
        self, adapter: copier_contract.Adapter, wanted: str
    ) -> None:
        there = adapter.stored(SMALL)
        with pytest.raises(UnsupportedByStoreError, match=f"no storage class {wanted}"):
            copy(adapter.copier, there, storage_class=wanted)
        assert adapter.body(KEY) is None

    def test_the_class_of_all_is_taken(self, adapter: copier_contract.Adapter) -> None:
        there = adapter.stored(SMALL)
        assert copy(adapter.copier, there, storage_class="STANDARD").storage_class == "STANDARD"
