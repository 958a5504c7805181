"""A client that knows `{"url": …}` and nothing else: whatever it is written with, it can upload."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.job_uploads import JobUpload, UploadContext, UploadType
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository
from tests.buckets import create_bucket
from tests.s3.steps import MIB, client_at, random_bytes

pytestmark = pytest.mark.processes

CONFIG = JobUpload(UploadContext.JOB, UploadType.CONFIG, 12)
PREFIX = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
KMS_KEY = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"

Put = Callable[[str, Path], int]


def by_curl(answer: str, file: Path) -> int:
    """As in a shell: `curl -T file URL`."""
    status = ("--silent", "--output", "-", "--write-out", "%{stderr}%{http_code}")
    url = json.loads(answer)["url"]
    command = ("curl", *status, "--max-time", "60", "-T", str(file), url)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return int(ended.stderr)


def by_urllib(answer: str, file: Path) -> int:
    """With the form's content type that urllib adds by itself."""
    asked = Request(json.loads(answer)["url"], file.read_bytes(), method="PUT")  # noqa: S310 - http
    try:
        with urlopen(asked, timeout=60) as answered:  # noqa: S310 - the same
            return int(answered.status)
    except HTTPError as refused:
        return refused.code


def by_http(answer: str, file: Path) -> int:
    """With Host and Content-Length alone."""
    parts = urlsplit(json.loads(answer)["url"])
    connection = HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.putrequest("PUT", f"{parts.path}?{parts.query}", skip_accept_encoding=True)
        connection.putheader("Content-Length", str(file.stat().st_size))
        connection.endheaders(file.read_bytes())
        return connection.getresponse().status
    finally:
        connection.close()


each_client = pytest.mark.parametrize("put", [by_curl, by_urllib, by_http])


@dataclass(frozen=True)
class Bucket:
    client: S3Client
    name: str

    def answer(
        self, *, signs_encryption: bool = False, encryption: Encryption | None = None
    ) -> str:
        """What the platform answers its client."""
        locations = S3UploadLocationRepository(
            self.name,
            s3_client=self.client,
            encryption=encryption or Encryption("AES256"),
            signs_encryption=signs_encryption,
        )
        return json.dumps({"url": locations.get_upload_location(CONFIG, PREFIX).url})

    def body(self) -> bytes:
        stored = self.client.get_object(Bucket=self.name, Key=PREFIX.job_config_key())
        return stored["Body"].read()

    @property
    def is_empty(self) -> bool:
        return self.client.list_objects_v2(Bucket=self.name)["KeyCount"] == 0


@pytest.fixture
def strict_bucket(ministack: Ministack) -> Bucket:
    """On the server that verifies signatures."""
    return _bucket(ministack.url)


def _bucket(url: str) -> Bucket:
    client = client_at(url)
    return Bucket(client, create_bucket(client))


@pytest.mark.parametrize(
    ("server", "put"),
    [
        *(("ministack", put) for put in (by_curl, by_urllib, by_http)),
        # Not by urllib: moto takes the content type for a form, and waits for more of it.
        *(("moto", put) for put in (by_curl, by_http)),
    ],
)
# curl asks with `Expect: 100-continue` before it sends more than a MiB.
@pytest.mark.parametrize("size", [2, 3 * MIB])
def test_the_url_is_all_that_it_needs(
    request: pytest.FixtureRequest, server: str, put: Put, size: int, tmp_path: Path
) -> None:
    # Given
    bucket = _bucket(request.getfixturevalue(server).url)
    file = tmp_path / "job_config.json"
    file.write_bytes(random_bytes(size))
    # When
    status = put(bucket.answer(), file)
    # Then
    assert status == 200
    assert bucket.body() == file.read_bytes()


@each_client
def test_the_buckets_default_encrypts_what_it_puts(
    strict_bucket: Bucket, put: Put, tmp_path: Path
) -> None:
    # Given a bucket that encrypts by a key of KMS, and a worker that asks for the same
    strict_bucket.client.put_bucket_encryption(
        Bucket=strict_bucket.name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": KMS_KEY,
                    }
                }
            ]
        },
    )
    (file := tmp_path / "file").write_bytes(b"{}")
    # When
    status = put(strict_bucket.answer(encryption=Encryption("aws:kms", KMS_KEY)), file)
    # Then
    assert status == 200
    head = strict_bucket.client.head_object(Bucket=strict_bucket.name, Key=PREFIX.job_config_key())
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", KMS_KEY)


@each_client
def test_a_url_that_signs_the_encryption_refuses_it(
    strict_bucket: Bucket, put: Put, tmp_path: Path
) -> None:
    (file := tmp_path / "file").write_bytes(b"{}")
    assert put(strict_bucket.answer(signs_encryption=True), file) == 403
    assert strict_bucket.is_empty
