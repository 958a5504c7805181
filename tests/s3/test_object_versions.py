"""The contract of versions and legal holds over each adapter, and their requests to S3."""

from typing import cast

import pytest

from artifact_pipeline.domain.errors import UnsupportedByStoreError
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryStore, InMemoryVersions
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.abilities import Deletes, StoreAbilities
from artifact_pipeline.worker.s3.object_versions import S3ObjectVersions
from tests.buckets import create_bucket
from tests.contract.versions_contract import (
    Adapter,
    LegalHoldContract,
    ObjectVersionsContract,
)
from tests.s3.steps import client_at
from tests.servers import Moto


@pytest.fixture
def fake() -> Adapter:
    store = InMemoryStore()
    versions = InMemoryVersions(InMemoryReader(store), locks=True)
    return Adapter(versions, "bucket", store.objects.__setitem__, lambda: {*store.objects})


def on_s3(url: str, *, locks: bool = False, deletes: Deletes = Deletes.CHECKSUM) -> Adapter:
    client = client_at(url)
    bucket = create_bucket(client)
    if locks:
        bucket += "-locks"
        client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)

    def put(key: str, body: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=body)

    def keys() -> set[str]:
        listed = client.list_objects_v2(Bucket=bucket)
        return {each["Key"] for each in listed.get("Contents", [])}

    abilities = StoreAbilities(deletes=deletes)
    versions = S3ObjectVersions(client=client, bucket=bucket, abilities=abilities)
    return Adapter(versions, bucket, put, keys, keeps=locks)


@pytest.fixture
def plain_ministack(ministack: Ministack) -> Adapter:
    return on_s3(ministack.url)


@pytest.fixture
def single_ministack(ministack: Ministack) -> Adapter:
    return on_s3(ministack.url, locks=True, deletes=Deletes.SINGLE)


@pytest.fixture
def locked_ministack(ministack: Ministack) -> Adapter:
    return on_s3(ministack.url, locks=True)


@pytest.fixture
def locked_moto(moto: Moto) -> Adapter:
    return on_s3(moto.url, locks=True)


class TestVersions(ObjectVersionsContract):
    @pytest.fixture(
        params=["fake", "plain_ministack", "single_ministack", "locked_ministack", "locked_moto"]
    )
    def adapter(self, request: pytest.FixtureRequest) -> Adapter:
        return cast("Adapter", request.getfixturevalue(request.param))


class TestLegalHolds(LegalHoldContract):
    @pytest.fixture(params=["fake", "locked_ministack", "single_ministack", "locked_moto"])
    def adapter(self, request: pytest.FixtureRequest) -> Adapter:
        return cast("Adapter", request.getfixturevalue(request.param))


@pytest.mark.parametrize("server", ["plain_ministack", "plain_moto"])
def test_a_bucket_without_object_lock_says_so(
    request: pytest.FixtureRequest, moto: Moto, server: str
) -> None:
    adapter = (
        on_s3(moto.url) if server == "plain_moto" else request.getfixturevalue("plain_ministack")
    )
    assert not adapter.versions.has_lock()


def test_a_fake_without_locks_refuses_a_hold(fake: Adapter) -> None:
    versions = cast("InMemoryVersions", fake.versions)
    versions.locks = False
    with pytest.raises(UnsupportedByStoreError):
        versions.set_legal_hold(fake.now("jobs/12/a"), on=True)
