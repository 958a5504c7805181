"""The contract of reading objects over each adapter."""

import base64
from hashlib import sha256
from typing import Any, cast

import pytest

from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryStore
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from tests.buckets import create_bucket
from tests.contract.reader_contract import Adapter, ObjectReaderContract
from tests.s3.steps import client_at
from tests.servers import Moto


@pytest.fixture
def fake() -> Adapter:
    reader = InMemoryReader(InMemoryStore())

    def put(address: ObjectAddress, body: bytes) -> None:
        if address.bucket == reader.bucket:
            reader.store.objects[address.key] = body
        else:
            reader.elsewhere[address] = body

    def archive(address: ObjectAddress, body: bytes) -> None:
        put(address, body)
        reader.tier_names[address] = "GLACIER"

    def delete(address: ObjectAddress) -> None:
        del reader.store.objects[address.key]

    return Adapter(reader, put, archive, delete, other_bucket="of-times-before")


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


class TestObjectReader(ObjectReaderContract):
    pass


def _on_s3(url: str) -> Adapter:
    client = client_at(url)

    def put(address: ObjectAddress, body: bytes, **more: Any) -> None:
        digest = sha256(body)
        client.put_object(
            Bucket=address.bucket,
            Key=address.key,
            Body=body,
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            Metadata={"sha256": digest.hexdigest()},
            **more,
        )

    return Adapter(
        S3ObjectReader(client=client, bucket=create_bucket(client)),
        put,
        archive=lambda address, body: put(address, body, StorageClass="GLACIER"),
        delete=lambda address: client.delete_object(Bucket=address.bucket, Key=address.key),
        other_bucket=create_bucket(client),
    )
