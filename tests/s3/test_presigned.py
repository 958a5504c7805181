"""URLs that a client may use without credentials, and only as they are."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth
import pytest
from mypy_boto3_s3 import S3Client

from domain.errors import AccessDeniedError, ConfigurationError
from domain.job_uploads import JobUpload, UploadContext, UploadType
from domain.locations import UploadLocation
from domain.objects import ObjectAddress
from domain.prefix import JobS3Prefix
from tests.s3.steps import KEY, Requests, client_at
from worker.embedded.servers import Ministack
from worker.s3.client import make_client
from worker.s3.presign import Presigner
from worker.s3.results import S3ResultsRepository
from worker.s3.store import Encryption
from worker.s3.upload_locations import S3UploadLocationRepository

AES256 = Encryption()
KMS = Encryption("aws:kms", "arn:aws:kms:us-east-1:1:key/2")
ADDRESS = ObjectAddress("artifacts", KEY)
CONFIG = JobUpload(UploadContext.JOB, UploadType.CONFIG, 12)
PREFIX = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
WEEK = 7 * 24 * 3600
SSE = "x-amz-server-side-encryption"

each_encryption = pytest.mark.parametrize("encryption", [AES256, KMS], ids=["AES256", "KMS"])


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials for boto3's chain, and nothing else in it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests-secret")


def presigner(client: S3Client | None = None, seconds: int = 600) -> Presigner:
    return Presigner(client or client_at(None), seconds)


def query(location: UploadLocation) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(location.url).query).items()}


class TestSigned:
    @each_encryption
    def test_by_sigv4_for_as_long_as_was_said(self, encryption: Encryption) -> None:
        signed = query(presigner().put(ADDRESS, encryption))
        assert signed["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
        assert signed["X-Amz-Expires"] == "600"
        assert signed["X-Amz-Credential"].endswith("/us-east-1/s3/aws4_request")

    @pytest.mark.parametrize(
        ("encryption", "headers"),
        [
            (AES256, {SSE: "AES256"}),
            (KMS, {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": KMS.kms_key_id}),
        ],
        ids=["AES256", "KMS"],
    )
    def test_the_encryption_is_signed_as_headers_that_the_client_is_told(
        self, encryption: Encryption, headers: dict[str, str]
    ) -> None:
        location = presigner().put(ADDRESS, encryption)
        assert query(location)["X-Amz-SignedHeaders"] == ";".join(["host", *headers])
        assert dict(location.headers) == headers
        # S3 would not heed it in the query.
        assert not any(name.lower().startswith(SSE) for name in query(location))

    def test_an_upload_without_encryption_needs_no_headers(self) -> None:
        location = presigner().put(ADDRESS)
        assert query(location)["X-Amz-SignedHeaders"] == "host"
        assert dict(location.headers) == {}

    def test_a_download_needs_no_headers(self) -> None:
        location = presigner().get(ADDRESS)
        assert query(location)["X-Amz-SignedHeaders"] == "host"
        assert dict(location.headers) == {}

    def test_no_request_is_sent(self) -> None:
        client = client_at(None)
        requests = Requests(client)
        presigner(client).put(ADDRESS, KMS)
        presigner(client).get(ADDRESS)
        assert requests.names == []

    @pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ap-southeast-1"])
    def test_by_sigv4_though_the_client_would_do_otherwise(self, region: str) -> None:
        # Given a client as boto3 makes it, which still presigns by SigV2
        client = boto3.Session(region_name=region).client("s3")
        by_itself = client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
        assert "X-Amz-Algorithm" not in by_itself
        # When / Then
        for location in (presigner(client).put(ADDRESS, AES256), presigner(client).get(ADDRESS)):
            signed = query(location)
            assert signed["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
            assert f"/{region}/s3/" in signed["X-Amz-Credential"]

    def test_such_a_client_sends_its_own_requests_as_before(self, ministack: Ministack) -> None:
        session = boto3.Session(region_name="us-east-1")
        client = session.client("s3", endpoint_url=ministack.url)
        presigner(client)
        requests = Requests(client)
        client.list_buckets()
        (request,) = requests.sent
        assert "Authorization" in request.headers
        assert "X-Amz-Signature" not in request.url

    def test_without_credentials_there_is_nobody_to_sign(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        client = make_client(None, threads=1, session=boto3.Session(region_name="us-east-1"))
        with pytest.raises(AccessDeniedError, match=r"^no AWS credentials: set AWS_PROFILE, or "):
            presigner(client).put(ADDRESS, AES256)


class TestExpiry:
    @pytest.mark.parametrize("seconds", [0, -1, WEEK + 1])
    def test_one_that_s3_does_not_allow(self, seconds: int) -> None:
        with pytest.raises(ConfigurationError, match=f"from 1 to 604800, not {seconds}$"):
            presigner(seconds=seconds)

    @pytest.mark.parametrize("seconds", [1, WEEK])
    def test_the_shortest_and_the_longest(self, seconds: int) -> None:
        of_so_long = presigner(seconds=seconds)
        assert of_so_long.expires_in == timedelta(seconds=seconds)
        assert query(of_so_long.get(ADDRESS))["X-Amz-Expires"] == str(seconds)


class TestHost:
    """A client cannot follow a redirect, for it cannot sign anew."""

    @pytest.mark.parametrize(
        ("bucket", "region", "place"),
        [
            ("artifacts", "us-east-1", "artifacts.s3.amazonaws.com"),
            ("artifacts", "eu-west-1", "artifacts.s3.eu-west-1.amazonaws.com"),
            ("artifacts", "ap-southeast-1", "artifacts.s3.ap-southeast-1.amazonaws.com"),
            ("artifacts", "cn-north-1", "artifacts.s3.cn-north-1.amazonaws.com.cn"),
            ("my.artifacts", "us-east-1", "s3.amazonaws.com/my.artifacts"),
            ("my.artifacts", "eu-west-1", "s3.eu-west-1.amazonaws.com/my.artifacts"),
        ],
    )
    def test_on_aws_it_is_of_the_region(self, bucket: str, region: str, place: str) -> None:
        uploads = S3UploadLocationRepository(bucket, region)
        location = uploads.get_upload_location(CONFIG, PREFIX)
        assert location.sanitized == f"https://{place}/{PREFIX.job_config_key()}"
        assert f"/{region}/s3/" in query(location)["X-Amz-Credential"]

    def test_the_region_may_come_from_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        location = S3ResultsRepository("artifacts").get_download_url(f"s3://artifacts/{KEY}")
        assert location.sanitized == f"https://artifacts.s3.eu-west-1.amazonaws.com/{KEY}"

    @pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "https://s3.example.org"])
    def test_elsewhere_the_bucket_is_in_the_path(self, endpoint: str) -> None:
        location = presigner(client_at(endpoint)).put(ADDRESS, AES256)
        assert location.sanitized == f"{endpoint}/artifacts/{KEY}"


class TestSecrecy:
    def test_what_is_shown_or_logged_by_mistake_has_no_signature(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        # Given a URL that was signed with credentials of a role
        session = boto3.Session("tests-id", "secret", "tests-token", region_name="us-east-1")
        location = presigner(make_client(None, 1, session)).put(ADDRESS, AES256)
        signed = query(location)
        assert signed["X-Amz-Security-Token"] == "tests-token"
        # When
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("platform").warning("%s, %r and %s", location, location, [location])
        # Then
        shown = f"{location} {location!r} {[location]} {location.sanitized} {caplog.text}"
        assert shown.count(KEY) == 7
        for secret in (signed["X-Amz-Signature"], "tests-token", "tests-id", "X-Amz"):
            assert secret not in shown


class TestUsed:
    """By a client that knows nothing but HTTP, on the server that verifies signatures."""

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
