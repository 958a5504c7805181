"""What passes the S3 proxy, and what is held in it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.embedded.servers import Ministack, free_port
from tests.faults.s3_proxy import FaultyS3, S3Fault
from tests.faults.s3_steps import (
    KEY,
    PATIENCE_SECONDS,
    checksum_of,
    client_at,
    is_put,
    is_there,
    put,
)

MIB = 2**20


pytestmark = pytest.mark.usefixtures("no_backoff")


def test_a_multipart_upload_passes_unchanged(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    content = bytes(range(256)) * (32 * MIB // 256)
    upload_id = client.create_multipart_upload(Bucket=bucket, Key=KEY, ChecksumAlgorithm="SHA256")[
        "UploadId"
    ]
    part: Any = {"Bucket": bucket, "Key": KEY, "UploadId": upload_id}

    # When
    def send(number: int) -> Any:
        body = content[(number - 1) * 16 * MIB : number * 16 * MIB]
        checksum = checksum_of(body)
        answer = client.upload_part(
            **part, PartNumber=number, Body=BytesIO(body), ChecksumSHA256=checksum
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    with ThreadPoolExecutor() as threads:
        parts = list(threads.map(send, (1, 2)))
    assert len(client.list_parts(**part)["Parts"]) == 2
    client.complete_multipart_upload(**part, MultipartUpload={"Parts": parts})
    # Then
    assert client.head_object(Bucket=bucket, Key=KEY)["ContentLength"] == len(content)
    assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == content
    assert s3.counts == {
        "CreateMultipartUpload": 1,
        "UploadPart": 2,
        "ListParts": 1,
        "CompleteMultipartUpload": 1,
        "HeadObject": 1,
        "GetObject": 1,
    }


def test_operations_are_told_apart(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # When
    upload_id = client.create_multipart_upload(Bucket=bucket, Key=KEY)["UploadId"]
    client.list_multipart_uploads(Bucket=bucket, Prefix="jobs/")
    client.abort_multipart_upload(Bucket=bucket, Key=KEY, UploadId=upload_id)
    client.head_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key=KEY, Body=b"abc", IfNoneMatch="*")
    client.list_objects_v2(Bucket=bucket, Prefix="jobs/", MaxKeys=1)
    client.get_object_tagging(Bucket=bucket, Key=KEY)
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": KEY})
    client.delete_object(Bucket=bucket, Key="copy")
    client.get_bucket_location(Bucket=bucket)
    # Then
    assert s3.counts == {
        "CreateMultipartUpload": 1,
        "ListMultipartUploads": 1,
        "AbortMultipartUpload": 1,
        "HeadBucket": 1,
        "PutObject": 1,
        "ListObjectsV2": 1,
        "GetObjectTagging": 1,
        "CopyObject": 1,
        "DeleteObject": 1,
        "other": 1,
    }


class _ChunkEcho(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        line = b""
        while line != b"\r\n":
            line = self.rfile.readline()
            size = int(line, 16) if line.strip() else 0
            self.wfile.write(line + (self.rfile.read(size + 2) if size else b""))

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


def test_chunks_pass_in_both_directions() -> None:
    # Given a server that answers with the chunks that it gets
    with HTTPServer(("127.0.0.1", 0), _ChunkEcho) as upstream, FaultyS3(upstream.server_port) as s3:
        server = threading.Thread(target=upstream.handle_request)
        server.start()
        connection = HTTPConnection("127.0.0.1", s3.port, timeout=PATIENCE_SECONDS)
        # When
        connection.request("PUT", "/bucket/key", iter([b"one", b"two"]), encode_chunked=True)
        # Then
        assert connection.getresponse().read() == b"onetwo"
        connection.close()
        server.join()


def test_a_server_that_is_away_resets_the_client() -> None:
    with FaultyS3(free_port()) as s3, pytest.raises(ConnectionClosedError):
        client_at(s3.url).head_bucket(Bucket="bucket")


def test_a_held_request_has_not_arrived(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    hold = s3.hold(is_put)
    with ThreadPoolExecutor() as threads:
        # When
        sending = threads.submit(put, client, bucket, b"abc")
        # Then
        assert hold.arrived.wait(PATIENCE_SECONDS)
        assert hold.request is not None
        assert hold.request.path == f"/{bucket}/{KEY}"
        assert not is_there(client, bucket)
        # When
        hold.release()
        sending.result(PATIENCE_SECONDS)
    # Then
    assert is_there(client, bucket)


def test_a_held_answer_tells_of_what_s3_has(s3: FaultyS3, client: S3Client, bucket: str) -> None:
    # Given
    hold = s3.hold_answer(is_put)
    with ThreadPoolExecutor() as threads:
        # When
        sending = threads.submit(put, client, bucket, b"abc")
        # Then
        assert hold.arrived.wait(PATIENCE_SECONDS)
        assert is_there(client, bucket)
        assert not sending.done()
        # When / Then
        s3.heal()
        assert sending.result(PATIENCE_SECONDS)["ETag"]


def test_a_held_request_arrives_after_its_client_is_gone(
    s3: FaultyS3, client: S3Client, bucket: str
) -> None:
    # Given
    hold, stored = s3.hold(is_put), s3.hold_answer(is_put)
    connection = HTTPConnection("127.0.0.1", s3.port)
    connection.request("PUT", f"/{bucket}/{KEY}", b"abc")
    assert hold.arrived.wait(PATIENCE_SECONDS)
    # When
    connection.close()
    hold.release()
    # Then
    assert stored.arrived.wait(PATIENCE_SECONDS)
    assert is_there(client, bucket)


def test_it_ends_with_requests_that_are_held_or_unanswered(
    ministack: Ministack, s3_client: S3Client, bucket: str
) -> None:
    # Given
    before = set(threading.enumerate())
    with ThreadPoolExecutor() as pool:
        with FaultyS3(ministack.port) as s3:
            client = client_at(s3.url)
            hold = s3.hold(is_put)
            held = pool.submit(put, client, bucket, b"abc")
            assert hold.arrived.wait(PATIENCE_SECONDS)
            s3.inject(S3Fault.TIME_OUT)
            unanswered = HTTPConnection("127.0.0.1", s3.port)
            unanswered.request("GET", "/")
        # When / Then
        assert held.exception(PATIENCE_SECONDS) is not None
        unanswered.close()
    assert set(threading.enumerate()) <= before
    assert not is_there(s3_client, bucket)
