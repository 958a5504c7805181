"""The contracts of the ports over files. Where a directory has no such thing, it is refused."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError, UnsupportedByStoreError
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.file_store.platform import FileUploadLocations
from artifact_pipeline.worker.file_store.versions import FileObjectVersions
from tests.contract import (
    copier_contract,
    copier_steps,
    reader_contract,
    store_contract,
    upload_locations_contract,
    versions_contract,
)
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
        assert not adapter.stored(copier_steps.SMALL).is_archived


class TestCopier(copier_contract.AnyCopierContract, copier_contract.FencedCopierContract):
    @pytest.fixture
    def adapter(self, shelf: Shelf) -> copier_steps.Adapter:
        return copier_steps.Adapter(
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
    def test_a_storage_class_is_refused(self, adapter: copier_steps.Adapter, wanted: str) -> None:
        source = adapter.stored(copier_steps.SMALL)
        with pytest.raises(UnsupportedByStoreError, match=f"no storage class {wanted}"):
            copier_steps.copy(adapter.copier, source, tier_name=wanted)
        assert adapter.body(KEY) is None

    def test_the_class_of_all_is_taken(self, adapter: copier_steps.Adapter) -> None:
        source = adapter.stored(copier_steps.SMALL)
        assert (
            copier_steps.copy(adapter.copier, source, tier_name="STANDARD").tier_name == "STANDARD"
        )


@pytest.fixture
def locations(shelf: Shelf) -> upload_locations_contract.Adapter:
    return upload_locations_contract.Adapter(
        FileUploadLocations(shelf.reader, shelf.copier, lambda: upload_locations_contract.NOW),
        shelf.reader,
        shelf.put,
        delete=lambda address: shelf.copier.delete([address]),
        described=shelf.described,
        url=lambda address: address.url,
        other_bucket=str(shelf.other.path),
    )


class TestAge(upload_locations_contract.AgeContract):
    @pytest.fixture
    def adapter(
        self, locations: upload_locations_contract.Adapter
    ) -> upload_locations_contract.Adapter:
        return locations


class TestReadContent(upload_locations_contract.ReadContentContract):
    @pytest.fixture
    def adapter(
        self, locations: upload_locations_contract.Adapter
    ) -> upload_locations_contract.Adapter:
        return locations

    @pytest.mark.parametrize("form", ["file://{bucket}/{key}", "file://localhost{bucket}/{key}"])
    def test_whatever_the_form_of_its_url(
        self, adapter: upload_locations_contract.Adapter, form: str
    ) -> None:
        super().test_whatever_the_form_of_its_url(adapter, form)

    def test_by_the_signed_url_that_a_client_got(
        self, adapter: upload_locations_contract.Adapter
    ) -> None:
        with pytest.raises(InvalidRequestError, match="has no upload URLs"):
            super().test_by_the_signed_url_that_a_client_got(adapter)

    @pytest.mark.parametrize("url", ["/mnt/share/job_config.json", "https://example.org/b/k"])
    def test_what_names_no_object(
        self, adapter: upload_locations_contract.Adapter, url: str
    ) -> None:
        with pytest.raises(InvalidRequestError, match="not the URL of an object in ARTIFACTS"):
            adapter.locations.read_content(UploadLocation(url))


class TestVersions(versions_contract.ObjectVersionsContract):
    @pytest.fixture
    def adapter(self, shelf: Shelf) -> versions_contract.Adapter:
        bucket = shelf.reader.bucket
        return versions_contract.Adapter(
            FileObjectVersions(reader=shelf.reader, copier=shelf.copier),
            bucket,
            put=lambda key, body: shelf.put(ObjectAddress(bucket, key), body),
            keys=lambda: {each.address.key for each in shelf.reader.list("")},
        )

    def test_it_has_no_locks(self, adapter: versions_contract.Adapter) -> None:
        assert not adapter.versions.has_lock()
        with pytest.raises(UnsupportedByStoreError, match="no locks"):
            adapter.versions.set_legal_hold(adapter.now(KEY), on=True)
