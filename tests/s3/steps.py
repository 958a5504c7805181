"""What the S3 tests are written with."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.fakes import InMemorySource
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.domain.ports.object_store import IObjectStore, UploadProgress
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.store import S3ObjectStore

KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
CONTENT_TYPE = "application/zip"
METADATA = {"job": "12", "run": "4", "kind": "run_results"}
PART = 64 * 1024
MIB = 2**20

Answer = Callable[[str, AWSPreparedRequest], AWSResponse | None]


class Progress:
    """Keeps the upload id as the transfer's row does.

    Args:
        upload_id: of the attempt before.
        lost_at: the number of the checkpoint that finds the lease lost.
    """

    def __init__(self, upload_id: str | None = None, lost_at: int | None = None) -> None:
        self.upload_id = upload_id
        self.started_ids: list[str] = []
        self.checkpoints = 0
        self._lost_at = lost_at

    def started(self, upload_id: str) -> None:
        self.started_ids.append(upload_id)
        self.upload_id = upload_id

    def checkpoint(self) -> None:
        self.checkpoints += 1
        if self.checkpoints == self._lost_at:
            raise LeaseLostError


class Requests:
    """What a client sends from now on."""

    def __init__(self, client: S3Client) -> None:
        self.names: list[str] = []
        self.sent: list[AWSPreparedRequest] = []
        client.meta.events.register("before-send.s3", self._note)

    def count(self, name: str) -> int:
        return self.names.count(name)

    def _note(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> None:
        self.names.append(event_name.rpartition(".")[2])
        self.sent.append(request)


def random_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - the same bytes in every run


def source_of(content: bytes) -> InMemorySource:
    return InMemorySource(content, None)


def put(
    store: IObjectStore,
    content: bytes | Source,
    progress: UploadProgress | None = None,
    key: str = KEY,
    replaces: str | None = None,
) -> StoredObject:
    return store.put(
        key,
        source_of(content) if isinstance(content, bytes) else content,
        content_type=CONTENT_TYPE,
        metadata=METADATA,
        precondition=replacing(replaces),
        progress=progress or Progress(),
    )


def store_of(client: S3Client, bucket: str, **changes: Any) -> S3ObjectStore:
    """A store with parts far smaller than S3's smallest, which moto refuses and ministack takes."""
    store = S3ObjectStore(
        client=client,
        bucket=bucket,
        encryption=Encryption("AES256"),
        multipart_threshold=PART,
        part_size=PART,
        threads=4,
    )
    return replace(store, **changes)


def put_in_parts(client: S3Client, bucket: str, parts: Iterable[bytes], key: str = KEY) -> None:
    """Upload an object in these parts as another tool would, without a checksum."""
    upload_id = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    sent: list[Any] = []
    for number, part in enumerate(parts, start=1):
        answer = client.upload_part(
            Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=part
        )
        sent.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": sent}
    )


@cache
def _session() -> boto3.Session:
    # One for all: each would read the description of AWS anew.
    return boto3.Session("tests", "tests-secret", region_name="us-east-1")


def client_at(url: str | None) -> S3Client:
    return make_client(url, threads=4, session=_session())


def answered_client(answer: Answer) -> S3Client:
    """A client whose requests are answered here, after all that botocore does to them."""
    client = client_at(None)
    answer_instead(client, answer)
    return client


def answer_instead(client: S3Client, answer: Answer) -> None:
    def handle(event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        return answer(event_name.rpartition(".")[2], request)

    hooks: Any = client.meta.events  # whose stubs know of no handler that answers
    hooks.register("before-send.s3", handle)


def answer_of(status: int, body: str = "", **headers: str) -> AWSResponse:
    raw: Any = _Raw(body.encode())
    sent: Any = HeadersDict({name.replace("_", "-"): value for name, value in headers.items()})
    return AWSResponse("https://s3.invalid", status, sent, raw)


def error_of(status: int, code: str) -> AWSResponse:
    """An error as talkative as S3's own."""
    body = (
        f"<Error><Code>{code}</Code><Message>secret-message for AKIAIOSFODNN7EXAMPLE</Message>"
        f"<Key>{KEY}</Key><BucketName>secret-bucket</BucketName>"
        "<AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId></Error>"
    )
    return answer_of(status, body)


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()
