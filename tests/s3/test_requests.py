"""How many requests an upload costs, and what each of them carries."""

import base64
from hashlib import sha256
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.s3.steps import (
    KEY,
    PART,
    Progress,
    Requests,
    answer_of,
    answered_client,
    put,
    random_bytes,
    source_of,
    store_of,
)

KMS = Encryption("aws:kms", "arn:aws:kms:us-east-1:1:key/2")


def header(request: AWSPreparedRequest, name: str) -> str | None:
    value = request.headers.get(name)
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("size", [1, PART - 1])
def test_below_the_threshold_it_is_exactly_one_request(
    store: S3ObjectStore, requests: Requests, size: int
) -> None:
    put(store, random_bytes(size))
    assert requests.names == ["PutObject"]


@pytest.mark.parametrize(
    ("size", "parts"),
    [(PART, 1), (PART + 1, 2), (4 * PART - 1, 4), (4 * PART, 4), (4 * PART + 1, 5)],
)
def test_from_the_threshold_on_it_is_one_request_for_each_part_and_two_more(
    store: S3ObjectStore, requests: Requests, size: int, parts: int
) -> None:
    # When
    stored = put(store, random_bytes(size))
    # Then
    assert requests.names == [
        "CreateMultipartUpload",
        *["UploadPart"] * parts,
        "CompleteMultipartUpload",
    ]
    assert (stored.size, str(stored.checksum).partition("-")[2]) == (size, str(parts))


def test_every_part_but_the_last_has_just_the_part_size(
    store: S3ObjectStore, requests: Requests
) -> None:
    put(store, random_bytes(2 * PART + 7))
    parts = [part for part in requests.sent if "partNumber" in part.url]
    assert sorted(len(_body_of(part)) for part in parts) == [7, PART, PART]


def test_every_part_and_every_put_carries_its_sha256(
    store: S3ObjectStore, requests: Requests
) -> None:
    # When
    put(store, random_bytes(3 * PART))
    put(store, random_bytes(100), key="jobs/12/2025/10/23/211500/other")
    # Then
    writes = [request for request in requests.sent if request.method == "PUT"]
    assert len(writes) == 4
    for request in writes:
        expected = base64.b64encode(sha256(_body_of(request)).digest()).decode()
        assert header(request, "x-amz-checksum-sha256") == expected
        assert header(request, "x-amz-checksum-crc32") is None


def test_a_multipart_upload_declares_its_checksums(
    store: S3ObjectStore, requests: Requests
) -> None:
    put(store, random_bytes(PART))
    assert header(requests.sent[0], "x-amz-checksum-algorithm") == "SHA256"


@pytest.mark.parametrize("size", [10, 2 * PART], ids=["small", "large"])
@pytest.mark.parametrize(
    "encryption",
    [Encryption(), Encryption("AES256"), KMS, Encryption("aws:kms:dsse")],
    ids=["bucket's default", "AES256", "KMS", "DSSE without a key"],
)
def test_encryption_is_asked_for_where_the_object_is_made(
    encryption: Encryption, size: int
) -> None:
    # Given
    client = answered_client(_accept)
    requests = Requests(client)
    # When
    put(store_of(client, "bucket", encryption=encryption), random_bytes(size))
    # Then
    made = requests.sent[0]
    assert header(made, "x-amz-server-side-encryption") == encryption.algorithm
    key = header(made, "x-amz-server-side-encryption-aws-kms-key-id")
    assert key == encryption.kms_key_id


def test_a_large_source_of_unknown_size_gets_larger_parts(
    s3_client: S3Client, store: S3ObjectStore, requests: Requests
) -> None:
    # Given a source that says it could have 10,000 times two parts, and has three parts
    class Boastful:
        exact_size = None
        largest_size = 20_000 * PART
        links_left_out = 0
        chunks = source_of(random_bytes(3 * PART)).chunks

    # When
    stored = put(store, Boastful())
    # Then its parts have the double size
    assert requests.count("UploadPart") == 2
    assert s3_client.head_object(Bucket=store.bucket, Key=KEY)["ContentLength"] == stored.size


def test_the_upload_id_is_kept_before_the_first_part(store: S3ObjectStore) -> None:
    # Given
    kept_before_a_part: list[bool] = []
    progress = Progress()
    store.client.meta.events.register(
        "before-send.s3.UploadPart",
        lambda **_: kept_before_a_part.append(progress.upload_id is not None),
    )
    # When
    put(store, random_bytes(2 * PART), progress)
    # Then
    assert kept_before_a_part == [True, True]
    assert len(progress.started_ids) == 1


def test_the_version_of_a_versioned_bucket_is_known(
    s3_client: S3Client, store: S3ObjectStore
) -> None:
    # Given
    s3_client.put_bucket_versioning(
        Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    # When
    first = put(store, random_bytes(10))
    second = put(store, random_bytes(PART), replaces=first.version)
    versions = {first.version_id, second.version_id}
    # Then
    assert None not in versions
    assert len(versions) == 2


def _body_of(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body  # a BytesIO of bytes, or a bytearray, whatever the stubs say
    return bytes(body if isinstance(body, bytearray) else body.getvalue())


def _accept(operation: str, _request: AWSPreparedRequest) -> AWSResponse:
    bodies = {
        "CreateMultipartUpload": "<R><UploadId>u</UploadId></R>",
        "CompleteMultipartUpload": '<R><ETag>"e"</ETag></R>',
    }
    return answer_of(200, bodies.get(operation, ""), ETag='"e"')
