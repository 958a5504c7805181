"""The steps of tests about direct requests."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import boto3
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.direct_requests import send
from tests.s3.recording_server import Recorded, RecordingServer
from tests.s3.steps import KEY, random_bytes

BUCKET = "artifacts"
BODY = random_bytes(1000)
LARGE = random_bytes(70_000)
VOLATILE = {"x-amz-date", "user-agent", "amz-sdk-invocation-id", "authorization", "expect"}
KEYS = ["jobs/1/config.json", "jobs/1/2025/10/23/211500/run_4_results.zip", "a~b_c-d.e"]


@dataclass
class Ways:
    """Two clients of one configuration. Hooks watch the requests of one, so boto3 sends them."""

    direct: S3Client
    boto3: S3Client

    @classmethod
    def of(cls, make: Callable[[], S3Client]) -> "Ways":
        ways = cls(make(), make())
        ways.boto3.meta.events.register("before-send.s3", lambda **_: None)
        return ways


def session(**credentials: str) -> boto3.Session:
    named = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret", **credentials}
    return boto3.Session(region_name="eu-central-1", **named)  # type: ignore[arg-type]


def client_at(server: RecordingServer) -> S3Client:
    return make_client(server.url, 4, session(), bucket=BUCKET)


def arguments(
    key: str = KEY, metadata: dict[str, str] | None = None, body: bytes = BODY, **more: str
) -> dict[str, Any]:
    digest = sha256(body).digest()
    named = {"sha256": digest.hex(), **(metadata or {"job_id": "1", "kind": "run_logs"})}
    return {
        "Bucket": BUCKET,
        "Key": key,
        "ContentType": "text/plain",
        "Metadata": named,
        "ChecksumSHA256": base64.b64encode(digest).decode(),
        **more,
    }


def put(client: S3Client, body: bytes = BODY, **named: Any) -> Any:
    given = arguments(**{"body": body, **named})
    digest = sha256(body).digest()
    return send(client, "put_object", given, body=body, length=len(body), sha256=digest)


def compared(headers: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name not in VOLATILE}
    signed = headers.get("authorization", "").rpartition("Signature=")[0]
    attempt = headers["amz-sdk-request"].rpartition("attempt=")[2]  # behind the time to live
    # Without the key and the date.
    return {**kept, "signed": "/".join(signed.split("/")[2:]), "amz-sdk-request": attempt}


def essence(request: Any) -> object:
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    url = request.target if isinstance(request, Recorded) else request.url
    return request.method, url, compared(headers)
