"""The contract of copying over each adapter, and what holds on every S3 server."""

from functools import partial
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import ArchivedError, StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryCopier, InMemoryReader, InMemoryStore
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from tests.buckets import create_bucket
from tests.contract.copier_contract import FencedCopierContract, ObjectCopierContract
from tests.contract.copier_steps import SMALL, Adapter, copy, each_size
from tests.s3.steps import KEY, MIB, client_at
from tests.servers import Moto

_SMALLEST_PART = 5 * MIB


@pytest.fixture
def fake() -> Adapter:
    store = InMemoryStore()
    reader = InMemoryReader(store)

    def put(address: ObjectAddress, body: bytes) -> None:
        if address.bucket == reader.bucket:
            store.objects[address.key] = body
        else:
            reader.elsewhere[address] = body

    def put_with(address: ObjectAddress, body: bytes, described: dict[str, Any]) -> None:
        headers = dict(described)
        put(address, body)
        store.content_types[address.key] = headers.pop("ContentType")
        store.metadata[address.key] = headers.pop("Metadata")
        store.headers[address.key] = headers

    return Adapter(
        InMemoryCopier(reader, archive_tier="GLACIER"),
        reader,
        put,
        body=store.objects.get,
        described=lambda key: (store.content_types[key], store.metadata[key]),
        other_bucket="of-times-before",
        put_with=put_with,
        headers=lambda key: store.headers[key],
    )


@pytest.fixture
def on_moto(moto: Moto) -> Adapter:
    return _on_s3(moto.url)


@pytest.fixture
def on_ministack(ministack: Ministack) -> Adapter:
    return _on_s3(ministack.url)


# An adapter takes part with a fixture of its own, named here.
@pytest.fixture(params=["fake", "on_moto", "on_ministack"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return cast("Adapter", request.getfixturevalue(request.param))


class TestObjectCopier(ObjectCopierContract):
    pass


class TestFencedCopier(FencedCopierContract):
    @pytest.fixture(params=["fake", "on_ministack"])  # moto completes a copy whatever is there
    def adapter(self, request: pytest.FixtureRequest) -> Adapter:
        return cast("Adapter", request.getfixturevalue(request.param))


class TestInMemory:
    """What the servers of the tests never do."""

    def test_what_is_archived_is_not_copied(self, fake: Adapter) -> None:
        copier = cast("InMemoryCopier", fake.copier)
        copier.reader.tier_names[fake.address()] = "GLACIER"
        with pytest.raises(ArchivedError):
            copy(copier, fake.stored(SMALL))
        assert fake.body(KEY) is None

    def test_a_failure_copies_nothing(self, fake: Adapter) -> None:
        copier = cast("InMemoryCopier", fake.copier)
        copier.failures.append(StoreUnavailableError())
        with pytest.raises(StoreUnavailableError):
            copy(copier, fake.stored(SMALL))
        assert fake.body(KEY) is None
        assert copier.copies == [(fake.address(), KEY)]

    def test_what_is_refused_is_not_deleted(self, fake: Adapter) -> None:
        copier = cast("InMemoryCopier", fake.copier)
        kept, other = fake.stored(SMALL), fake.stored(SMALL, fake.address(KEY))
        copier.refused[kept.address] = "AccessDenied"
        refused = copier.delete([kept.address, other.address])
        assert refused == {kept.address: "AccessDenied"}
        assert (fake.reader.find(kept.address), fake.body(KEY)) == (kept, None)


@pytest.fixture(params=["on_moto", "on_ministack"])
def s3(request: pytest.FixtureRequest) -> Adapter:
    return cast("Adapter", request.getfixturevalue(request.param))


class TestOnEveryServer:
    @each_size
    def test_every_copy_is_encrypted(self, s3: Adapter, content: bytes) -> None:
        copy(s3.copier, s3.stored(content))
        copier = cast("S3ObjectCopier", s3.copier)
        head = copier.client.head_object(Bucket=copier.bucket, Key=KEY)
        assert head["ServerSideEncryption"] == "AES256"

    @each_size
    def test_no_multipart_upload_stays_open(self, s3: Adapter, content: bytes) -> None:
        # When it is copied, and then found to be there
        source = s3.stored(content)
        for _ in range(2):
            copy(s3.copier, source)
        # Then
        copier = cast("S3ObjectCopier", s3.copier)
        assert "Uploads" not in copier.client.list_multipart_uploads(Bucket=copier.bucket)

    def test_more_than_a_thousand_are_deleted(self, s3: Adapter) -> None:
        # Given: some are gone already
        addresses = [s3.address(f"jobs/12/{number}") for number in range(1001)]
        for number in (*range(0, 1001, 50), 999):
            s3.put(addresses[number], b"")
        kept = s3.stored(b"kept", s3.address("jobs/13/x"))
        # When / Then
        assert s3.copier.delete(addresses) == {}
        assert [each.address for each in s3.reader.list("jobs/")] == [kept.address]


def _on_s3(url: str) -> Adapter:
    client = client_at(url)
    reader = S3ObjectReader(client=client, bucket=create_bucket(client))
    copier = S3ObjectCopier(
        client=client,
        bucket=reader.bucket,
        encryption=Encryption("AES256"),
        reader=reader,
        threads=4,
        multipart_threshold=_SMALLEST_PART,
        part_size=_SMALLEST_PART,
    )

    def put(address: ObjectAddress, body: bytes) -> None:
        client.put_object(
            Bucket=address.bucket, Key=address.key, Body=body, ChecksumAlgorithm="SHA256"
        )

    def put_with(address: ObjectAddress, body: bytes, described: dict[str, Any]) -> None:
        client.put_object(Bucket=address.bucket, Key=address.key, Body=body, **described)

    return Adapter(
        copier,
        reader,
        put,
        body=partial(_body, client, reader.bucket),
        described=partial(_described, client, reader.bucket),
        other_bucket=create_bucket(client),
        put_with=put_with,
        headers=lambda key: dict(client.head_object(Bucket=reader.bucket, Key=key)),
    )


def _body(client: S3Client, bucket: str, key: str) -> bytes | None:
    try:
        return client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey"  # noqa: PT017 - none other is right
        return None


def _described(client: S3Client, bucket: str, key: str) -> tuple[str, dict[str, str]]:
    head = client.head_object(Bucket=bucket, Key=key)
    return head["ContentType"], head["Metadata"]
