"""Presigned URLs in the hands of a client that knows nothing but HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from unittest.mock import patch
from urllib.parse import urlsplit

import botocore.auth
import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.presign import Presigner
from tests.s3.presigned_steps import AES256, SSE, presigner
from tests.s3.steps import KEY

pytestmark = pytest.mark.processes


class TestUsed:
    """On the server that verifies signatures."""

    @pytest.fixture
    def signer(self, s3_client: S3Client) -> Presigner:
        return presigner(s3_client)

    @pytest.fixture
    def address(self, bucket: str) -> ObjectAddress:
        return ObjectAddress(bucket, KEY)

    @pytest.fixture
    def upload(self, signer: Presigner, address: ObjectAddress) -> UploadLocation:
        return signer.put(address, AES256)

    def test_what_is_put_is_stored_and_encrypted(
        self, upload: UploadLocation, s3_client: S3Client, bucket: str
    ) -> None:
        assert send("PUT", upload.url, upload.headers)[0] == 200
        stored = s3_client.get_object(Bucket=bucket, Key=KEY)
        assert (stored["Body"].read(), stored["ServerSideEncryption"]) == (b"{}", "AES256")

    def test_without_signed_headers_a_changed_one_is_refused_too(
        self, signer: Presigner, address: ObjectAddress, s3_client: S3Client
    ) -> None:
        upload = signer.put(address)
        other = upload.url.replace("run_4_results.zip", "run_5_results.zip")
        assert_refused(send("PUT", other, {}), "SignatureDoesNotMatch")
        assert_refused(send("DELETE", upload.url, {}), "SignatureDoesNotMatch")
        assert_empty(s3_client, upload)

    def test_what_is_there_is_got(
        self, signer: Presigner, address: ObjectAddress, s3_client: S3Client
    ) -> None:
        s3_client.put_object(Bucket=address.bucket, Key=KEY, Body=b"PK")
        assert send("GET", signer.get(address).url, {}) == (200, b"PK")

    @pytest.mark.parametrize(
        "headers",
        [{}, {SSE: "aws:kms"}, {"content-type": "application/json"}],
        ids=["none", "another", "others"],
    )
    def test_without_the_encryption_it_is_refused(
        self, upload: UploadLocation, headers: dict[str, str], s3_client: S3Client
    ) -> None:
        assert_refused(send("PUT", upload.url, headers), "SignatureDoesNotMatch")
        assert_empty(s3_client, upload)

    @pytest.mark.parametrize(
        ("signed", "instead"),
        [
            ("run_4_results.zip", "run_5_results.zip"),
            ("X-Amz-Expires=600", "X-Amz-Expires=6000"),
            ("X-Amz-Signature=", "X-Amz-Signature=0"),
            (f"%3B{SSE}", ""),
        ],
        ids=["key", "expiry", "signature", "headers"],
    )
    def test_a_changed_one_is_refused(
        self, upload: UploadLocation, signed: str, instead: str, s3_client: S3Client
    ) -> None:
        changed = upload.url.replace(signed, instead)
        assert changed != upload.url
        assert_refused(send("PUT", changed, upload.headers), "SignatureDoesNotMatch")
        assert_empty(s3_client, upload)

    def test_it_lets_nobody_do_anything_else(
        self, signer: Presigner, address: ObjectAddress, s3_client: S3Client
    ) -> None:
        s3_client.put_object(Bucket=address.bucket, Key=KEY, Body=b"PK")
        upload, download = signer.put(address, AES256), signer.get(address)
        assert_refused(send("GET", upload.url, upload.headers), "SignatureDoesNotMatch")
        assert_refused(send("DELETE", upload.url, upload.headers), "SignatureDoesNotMatch")
        assert_refused(send("PUT", download.url, upload.headers), "SignatureDoesNotMatch")
        assert s3_client.get_object(Bucket=address.bucket, Key=KEY)["Body"].read() == b"PK"

    def test_an_expired_one_is_refused(
        self, signer: Presigner, address: ObjectAddress, s3_client: S3Client
    ) -> None:
        # Given one that was signed a moment longer ago than it is good for
        long_ago = datetime.now(UTC) - signer.expires_in - timedelta(seconds=1)
        with patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: long_ago):
            expired = signer.put(address, AES256)
        # When / Then
        assert_refused(send("PUT", expired.url, expired.headers), "Request has expired")
        assert_empty(s3_client, expired)


def send(method: str, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    try:
        body = b"{}" if method == "PUT" else None
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def assert_refused(answer: tuple[int, bytes], said: str) -> None:
    status, body = answer
    assert (status, said in body.decode()) == (403, True), body


def assert_empty(client: S3Client, location: UploadLocation) -> None:
    """Nothing is stored in the bucket, under whichever key."""
    bucket = urlsplit(location.url).path.split("/")[1]
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
