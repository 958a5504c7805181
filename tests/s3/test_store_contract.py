"""The object store's contract over each adapter, and what holds on every S3 server."""

import base64
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import cast

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.fakes import InMemoryStore
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.buckets import create_bucket
from tests.contract.store_contract import LARGE, SMALL, Adapter, ObjectStoreContract, either_size
from tests.s3.steps import KEY, METADATA, MIB, client_at, put, store_of
from tests.servers import Moto

_SMALLEST_PART = 5 * MIB


@pytest.fixture
def fake() -> Adapter:
    store = InMemoryStore()
    return Adapter(
        store,
        body=store.objects.get,
        described=lambda key: (store.content_types[key], store.metadata[key]),
        replace=store.objects.__setitem__,
        delete=store.objects.__delitem__,
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


class TestObjectStore(ObjectStoreContract):
    pass


@pytest.fixture(params=["on_moto", "on_ministack"])
def s3_store(request: pytest.FixtureRequest) -> S3ObjectStore:
    return cast("S3ObjectStore", request.getfixturevalue(request.param).store)


class TestOnEveryServer:
    def test_uploads_that_nobody_completed_are_listed(self, s3_store: S3ObjectStore) -> None:
        # Given some uploads, one elsewhere, and one completed
        def begin(key: str) -> str:
            answer = s3_store.client.create_multipart_upload(Bucket=s3_store.bucket, Key=key)
            return answer["UploadId"]

        begun = {(key := f"jobs/{number}/x"): begin(key) for number in range(5)}
        begin("backups/of-somebody-else")
        put(s3_store, LARGE)
        # When
        found = list(s3_store.open_uploads("jobs/"))
        # Then
        assert {upload.key: upload.upload_id for upload in found} == begun
        assert all(upload.initiated_at.tzinfo for upload in found)
        # By S3's clock, which tells whole seconds; moto's uploads all began in 2010
        assert all(upload.listed_at.tzinfo for upload in found)
        assert all(upload.age >= timedelta(seconds=-1) for upload in found)
        # And one that is aborted is listed no more
        s3_store.abort(found[0].key, found[0].upload_id)
        assert len(list(s3_store.open_uploads("jobs/"))) == 4

    def test_what_is_aborted_already_is_no_error(self, s3_store: S3ObjectStore) -> None:
        answer = s3_store.client.create_multipart_upload(Bucket=s3_store.bucket, Key=KEY)
        for _ in range(2):
            s3_store.abort(KEY, answer["UploadId"])
        s3_store.abort(KEY, "never-begun")

    def test_the_checksum_of_one_put_is_that_of_its_bytes(self, s3_store: S3ObjectStore) -> None:
        stored = put(s3_store, SMALL)
        assert str(stored.checksum) == base64.b64encode(sha256(SMALL).digest()).decode()

    def test_the_checksum_of_parts_is_that_of_their_checksums(
        self, s3_store: S3ObjectStore
    ) -> None:
        # When
        stored = put(s3_store, LARGE)
        # Then
        parts = [LARGE[at : at + _SMALLEST_PART] for at in range(0, len(LARGE), _SMALLEST_PART)]
        whole = sha256(b"".join(sha256(part).digest() for part in parts)).digest()
        assert str(stored.checksum) == f"{base64.b64encode(whole).decode()}-3"

    def test_one_put_keeps_the_checksum_in_its_metadata(self, s3_store: S3ObjectStore) -> None:
        put(s3_store, SMALL)
        head = s3_store.client.head_object(Bucket=s3_store.bucket, Key=KEY)
        assert head["Metadata"] == {**METADATA, "sha256": sha256(SMALL).hexdigest()}

    @either_size
    def test_every_write_is_encrypted(self, s3_store: S3ObjectStore, content: bytes) -> None:
        stored = put(s3_store, content)
        head = s3_store.client.head_object(Bucket=s3_store.bucket, Key=KEY)
        assert head["ServerSideEncryption"] == "AES256"
        assert head["ETag"] == stored.version

    def test_no_multipart_upload_stays_open(self, s3_store: S3ObjectStore) -> None:
        put(s3_store, LARGE)
        assert "Uploads" not in s3_store.client.list_multipart_uploads(Bucket=s3_store.bucket)


def _on_s3(url: str) -> Adapter:
    client = client_at(url)
    store = store_of(
        client,
        create_bucket(client),
        multipart_threshold=_SMALLEST_PART,
        part_size=_SMALLEST_PART,
    )
    return Adapter(
        store,
        body=partial(_body, client, store.bucket),
        described=partial(_described, client, store.bucket),
        replace=lambda key, body: client.put_object(Bucket=store.bucket, Key=key, Body=body),
        delete=lambda key: client.delete_object(Bucket=store.bucket, Key=key),
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
