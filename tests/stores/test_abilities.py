"""The contracts of uploads and copies on stores that lack what AWS S3 has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import ArchivedError
from tests.contract import copier_contract, copier_steps, store_contract
from tests.s3.steps import KEY, MIB
from tests.servers import Moto
from tests.stores.abilities_steps import (
    MODES,
    Lacking,
    copier_adapter,
    install_crc32c,
    lacking,
    store_adapter,
)

pytestmark = pytest.mark.processes


@pytest.fixture
def on(
    request: pytest.FixtureRequest, moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Lacking]:
    mode = MODES[request.param]
    install_crc32c(monkeypatch, tmp_path)
    with lacking(moto, *mode.lacks, abilities=mode.abilities, part_size=5 * MIB) as on:
        yield on


@pytest.mark.parametrize("on", MODES, indirect=True)
class TestObjectStore(store_contract.ObjectStoreContract):
    @pytest.fixture
    def adapter(self, on: Lacking) -> store_contract.Adapter:
        return store_adapter(on)


@pytest.mark.parametrize("on", ["bare"], indirect=True)
class TestObjectCopier(copier_contract.ObjectCopierContract):
    @pytest.fixture
    def adapter(self, on: Lacking) -> copier_steps.Adapter:
        return copier_adapter(on)

    @pytest.mark.parametrize("wanted", ["STANDARD", "STANDARD_IA", "GLACIER_IR"])
    @copier_steps.each_size
    def test_the_copy_is_of_the_wanted_class(
        self, adapter: copier_steps.Adapter, content: bytes, wanted: str
    ) -> None:
        super().test_the_copy_is_of_the_wanted_class(adapter, content, wanted)


@pytest.mark.parametrize("on", ["bare"], indirect=True)
class TestFencedCopier(copier_contract.FencedCopierContract):
    @pytest.fixture
    def adapter(self, on: Lacking) -> copier_steps.Adapter:
        return copier_adapter(on)


@pytest.mark.parametrize("on", ["bare"], indirect=True)
@pytest.mark.parametrize("wanted", ["GLACIER", "DEEP_ARCHIVE"])
def test_what_could_not_be_read_back_is_not_copied(on: Lacking, wanted: str) -> None:
    # Given
    adapter = copier_adapter(on)
    source = adapter.stored(b"content")
    # When / Then
    with pytest.raises(ArchivedError, match=f"ARTIFACTS_S3_CHECKSUM=read-back .* {wanted}"):
        copier_steps.copy(adapter.copier, source, tier_name=wanted)
    assert adapter.body(KEY) is None
