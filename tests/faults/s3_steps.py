"""What the tests of the S3 proxy are written with."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import Any

import boto3
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.s3.client import make_client
from tests.faults.s3_proxy import Request

KEY = "jobs/12/results.zip"
PATIENCE_SECONDS = 10


@cache
def _session() -> boto3.Session:
    # One for all: each would read the description of AWS anew.
    return boto3.Session("tests", "tests-secret", region_name="us-east-1")


def client_at(url: str, read_timeout_seconds: float = 60) -> S3Client:
    return make_client(url, 4, _session(), read_timeout_seconds=read_timeout_seconds)


def put(client: S3Client, bucket: str, content: Any) -> dict[str, Any]:
    """With a checksum, as the workers do.

    Args:
        client: through the proxy.
        bucket: of it.
        content: bytes, or a BytesIO, for which boto3 sends `Expect: 100-continue`.
    """
    checksum = checksum_of(content if isinstance(content, bytes) else content.getvalue())
    return dict(client.put_object(Bucket=bucket, Key=KEY, Body=content, ChecksumSHA256=checksum))


def checksum_of(data: bytes) -> str:
    return b64encode(sha256(data).digest()).decode()


def is_there(client: S3Client, bucket: str) -> bool:
    return "Contents" in client.list_objects_v2(Bucket=bucket, Prefix=KEY)


def is_put(request: Request) -> bool:
    return request.operation == "PutObject"
