"""URLs that a client may use without credentials, and only as they are."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, ConfigurationError
from artifact_pipeline.domain.model.job_uploads import JobUpload, UploadContext, UploadType
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository
from tests.s3.presigned_steps import AES256, SSE, presigner, query
from tests.s3.steps import KEY, Requests, client_at

KMS = Encryption("aws:kms", "arn:aws:kms:us-east-1:1:key/2")
ADDRESS = ObjectAddress("artifacts", KEY)
CONFIG = JobUpload(UploadContext.JOB, UploadType.CONFIG, 12)
PREFIX = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
WEEK = 7 * 24 * 3600

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
