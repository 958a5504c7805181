"""The settings of what a store lacks, as the adapters get them."""

import sys
from typing import Any

import pytest

from artifact_pipeline.domain.errors import ConfigurationError, MisconfiguredError
from artifact_pipeline.worker.composition.adapters import BucketAdapters
from artifact_pipeline.worker.s3.abilities import Checksum, Copies, Deletes, StoreAbilities
from artifact_pipeline.worker.s3.integrity import integrity_of
from artifact_pipeline.worker.settings import BucketSettings, WorkerSettings, load

pytestmark = pytest.mark.usefixtures("good")

ALL = {
    "CONDITIONAL_WRITES": "false",
    "CHECKSUM": "read-back",
    "COPIES": "worker",
    "DELETES": "single",
}


def adapters(monkeypatch: pytest.MonkeyPatch, **settings: str) -> BucketAdapters:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name, value in settings.items():
        monkeypatch.setenv(f"ARTIFACTS_S3_{name}", value)
    return BucketAdapters(load(BucketSettings))


def test_by_default_a_store_has_what_aws_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARTIFACTS_S3_ENDPOINT_URL")
    assert adapters(monkeypatch).abilities == StoreAbilities()


def test_of_another_store_the_etag_of_a_multipart_object_is_no_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert adapters(monkeypatch).abilities == StoreAbilities(multipart_etags=False)


def test_every_adapter_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # When
    made = adapters(monkeypatch, **ALL)
    # Then
    expected = StoreAbilities(
        conditional_writes=False,
        checksum=Checksum.READ_BACK,
        copies=Copies.WORKER,
        deletes=Deletes.SINGLE,
        multipart_etags=False,
    )
    results: Any = made.results
    assert {
        made.store.abilities,
        made.reader.abilities,
        made.copier.abilities,
        results._store.abilities,
    } == {expected}
    by_worker = made.copier.by_worker
    assert by_worker is not None
    assert by_worker.store.abilities == expected
    assert by_worker.store.part_size == made.store.part_size


def test_a_store_that_copies_needs_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert adapters(monkeypatch, COPIES="store").copier.by_worker is None


@pytest.mark.parametrize("name", ["CONDITIONAL_WRITES", "CHECKSUM", "COPIES", "DELETES"])
def test_a_wrong_value_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # Given
    monkeypatch.setenv(f"ARTIFACTS_S3_{name}", "hunter2")
    # When
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    # Then
    assert str(refused.value).startswith(f"ARTIFACTS_S3_{name}: Input should be ")
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_md5_is_refused_where_an_etag_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_SSE", "aws:kms")
    monkeypatch.setenv("ARTIFACTS_KMS_KEY_ID", "key")
    monkeypatch.setenv("ARTIFACTS_S3_CHECKSUM", "md5")
    # When / Then
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    assert str(refused.value) == (
        "ARTIFACTS_S3_CHECKSUM=md5: with ARTIFACTS_SSE=aws:kms an ETag is no MD5."
        " Use sha256, crc32c or read-back"
    )


def test_crc32c_names_the_package_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("artifact_pipeline.worker.setting_checks.find_spec", lambda _name: None)
    monkeypatch.setenv("ARTIFACTS_S3_CHECKSUM", "crc32c")
    # When / Then
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    assert str(refused.value) == (
        "ARTIFACTS_S3_CHECKSUM: crc32c needs a package that is not installed."
        " Run `pip install google-crc32c`"
    )


def test_code_of_the_platform_gets_the_same_by_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    # When / Then
    with pytest.raises(MisconfiguredError, match="pip install google-crc32c"):
        integrity_of(Checksum.CRC32C)
