"""What boto3 makes of each fault, and what arrives at a real S3 server."""

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    FlexibleChecksumError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from mypy_boto3_s3 import S3Client

from tests.faults.s3_proxy import FaultyS3, S3Fault
from tests.faults.s3_steps import (
    KEY,
    checksum_of,
    client_at,
    is_put,
    is_there,
    put,
)

MIB = 2**20
_TRIES = 3
"""Of make_client: as many faults fail a call."""

Body = Callable[[bytes], Any]
_BODIES = pytest.mark.parametrize("body", [bytes, BytesIO])
"""Only for a file does boto3 send `Expect: 100-continue`."""


pytestmark = pytest.mark.usefixtures("no_backoff")


def test_a_fault_comes_as_often_as_asked_for(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    s3.inject(S3Fault.SLOW_DOWN, when=is_put)
    s3.inject(S3Fault.RESET, when=is_put)
    # When boto3 tries once more after each of them
    put(client, bucket, b"abc")
    # Then
    assert s3.counts["PutObject"] == 3
    assert s3.injected == {S3Fault.SLOW_DOWN: 1, S3Fault.RESET: 1}


@_BODIES
def test_slow_down_is_an_error_of_s3(
    s3: FaultyS3, client: S3Client, bucket: str, body: Body
) -> None:
    # Given
    s3.inject(S3Fault.SLOW_DOWN, _TRIES)
    # When / Then
    with pytest.raises(ClientError, match="SlowDown"):
        put(client, bucket, body(bytes(3 * MIB)))
    assert not is_there(client, bucket)


def test_a_head_is_slowed_down_without_a_body(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    s3.inject(S3Fault.SLOW_DOWN, _TRIES)
    # When / Then
    with pytest.raises(ClientError, match="503"):
        client.head_object(Bucket=bucket, Key=KEY)


@_BODIES
@pytest.mark.parametrize("fault", [S3Fault.RESET, S3Fault.CUT_REQUEST])
def test_a_request_that_is_reset_does_not_arrive(
    s3: FaultyS3, client: S3Client, bucket: str, fault: S3Fault, body: Body
) -> None:
    # Given
    s3.inject(fault, _TRIES)
    # When / Then
    with pytest.raises(ConnectionClosedError):
        put(client, bucket, body(bytes(3 * MIB)))
    assert not is_there(client, bucket)


@_BODIES
def test_a_request_without_an_answer_times_out(s3: FaultyS3, bucket: str, body: Body) -> None:
    # Given
    client = client_at(s3.url, read_timeout_seconds=0.2)
    s3.inject(S3Fault.TIME_OUT, _TRIES)
    # When / Then
    with pytest.raises(ReadTimeoutError):
        put(client, bucket, body(b"abc"))
    assert not is_there(client, bucket)


@_BODIES
def test_a_lost_answer_is_a_reset_though_s3_has_the_object(
    s3: FaultyS3, client: S3Client, bucket: str, body: Body
) -> None:
    # Given
    s3.inject(S3Fault.LOST_ANSWER, _TRIES)
    # When / Then
    with pytest.raises(ConnectionClosedError):
        put(client, bucket, body(b"abc"))
    assert is_there(client, bucket)


def test_a_truncated_body_is_noticed(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    put(client, bucket, b"abcdef")
    s3.inject(S3Fault.TRUNCATED_ANSWER, _TRIES)
    # When / Then
    body = client.get_object(Bucket=bucket, Key=KEY)["Body"]
    with pytest.raises(ResponseStreamingError, match="3 bytes read"):
        body.read()


def test_truncated_headers_are_not_noticed(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    s3.inject(S3Fault.TRUNCATED_ANSWER)
    # When
    answer = put(client, bucket, b"abc")
    # Then http.client takes the end of the connection for the end of the headers
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "date" not in answer["ResponseMetadata"]["HTTPHeaders"]
    assert s3.counts["PutObject"] == 1


def test_a_checksum_in_the_headers_is_another(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    right = checksum_of(b"abc")
    s3.inject(S3Fault.WRONG_CHECKSUM, 3)
    # When
    put_answer = put(client, bucket, b"abc")
    head = client.head_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")
    # Then
    for answered in (put_answer["ChecksumSHA256"], head["ChecksumSHA256"]):
        assert answered != right
        assert len(answered) == len(right)
    with pytest.raises(FlexibleChecksumError):
        client.get_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")["Body"].read()
    assert s3.injected == {S3Fault.WRONG_CHECKSUM: 3}


def test_a_checksum_in_xml_is_another(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    created = client.create_multipart_upload(Bucket=bucket, Key=KEY, ChecksumAlgorithm="SHA256")
    upload: Any = {"Bucket": bucket, "Key": KEY, "UploadId": created["UploadId"]}
    right = checksum_of(b"abc")
    part = client.upload_part(**upload, PartNumber=1, Body=b"abc", ChecksumSHA256=right)
    parts: Any = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": right}]
    s3.inject(S3Fault.WRONG_CHECKSUM, 2)
    # When
    listed = client.list_parts(**upload)["Parts"][0]["ChecksumSHA256"]
    completed = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    # Then
    assert listed != right
    stored = client.head_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")["ChecksumSHA256"]
    assert completed["ChecksumSHA256"] != stored
    assert completed["ChecksumSHA256"].endswith("-1")


@_BODIES
def test_a_corrupted_body_is_refused_by_s3(
    s3: FaultyS3, client: S3Client, bucket: str, body: Body
) -> None:
    # Given
    s3.inject(S3Fault.CORRUPTED_BODY)
    # When / Then
    with pytest.raises(ClientError, match="BadDigest"):
        put(client, bucket, body(b"abc"))
    assert not is_there(client, bucket)


def test_a_fault_waits_for_a_request_that_it_has_a_place_in(
    s3: FaultyS3, client: S3Client, bucket: str
) -> None:
    # Given
    s3.inject(S3Fault.CORRUPTED_BODY)
    s3.inject(S3Fault.WRONG_CHECKSUM)
    # When
    client.head_bucket(Bucket=bucket)
    # Then
    assert not s3.injected


def test_random_faults_come_again_with_their_seed(s3: FaultyS3, bucket: str) -> None:
    # Given
    client = client_at(s3.url)

    def outcomes(seed: int) -> list[int]:
        s3.heal()
        s3.at_random(seed, {S3Fault.SLOW_DOWN: 0.3, S3Fault.RESET: 0.3})
        tries = []
        for _ in range(20):
            before = s3.counts.total()
            with suppress(ClientError, ConnectionClosedError):
                client.head_bucket(Bucket=bucket)
            tries.append(s3.counts.total() - before)
        return tries

    # When / Then
    assert outcomes(1) == outcomes(1) != outcomes(2)
    assert set(s3.injected) == {S3Fault.SLOW_DOWN, S3Fault.RESET}


def test_healing_ends_all_faults(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    s3.inject(S3Fault.RESET, 100)
    s3.at_random(1, {S3Fault.RESET: 1.0})
    # When
    s3.heal()
    client.head_bucket(Bucket=bucket)
    # Then
    assert not s3.injected
