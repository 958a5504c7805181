"""What reading costs, what each request carries, and what its answers mean."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from mypy_boto3_s3 import S3Client
from urllib3.exceptions import IncompleteRead, ProtocolError, ReadTimeoutError, SSLError

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    BucketMissingError,
    ObjectReplacedError,
    RefusedByStoreError,
    StoreUnavailableError,
    TransferError,
)
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from tests.faults.s3_proxy import FaultyS3, S3Fault
from tests.s3.steps import (
    KEY,
    MIB,
    Requests,
    answer_of,
    answered_client,
    client_at,
    error_of,
    put,
    random_bytes,
    store_of,
)
from tests.s3.test_requests import header

CONTENT = random_bytes(3 * MIB)
THERE = BucketObject(
    address=ObjectAddress("bucket", KEY), size=10, version='"e"', modified_at=datetime.now(UTC)
)
HEAD = {"ETag": '"e"', "Last_Modified": "Thu, 23 Oct 2025 21:15:00 GMT"}


@pytest.fixture
def reader(s3_client: S3Client, bucket: str) -> S3ObjectReader:
    return S3ObjectReader(client=s3_client, bucket=bucket)


@pytest.fixture
def source(reader: S3ObjectReader, s3_client: S3Client) -> BucketObject:
    """CONTENT, as the workers store what is not small."""
    put(store_of(s3_client, reader.bucket, part_size=MIB), CONTENT)
    return found(reader)


def found(reader: S3ObjectReader) -> BucketObject:
    source = reader.find(ObjectAddress(reader.bucket, KEY))
    assert source is not None
    return source


def reading(*answers: AWSResponse) -> S3ObjectReader:
    """A reader that gets these answers, and the last one over and over."""
    left = list(answers)
    client = answered_client(lambda *_: left.pop(0) if len(left) > 1 else left[0])
    return S3ObjectReader(client=client, bucket="bucket")


class TestRequests:
    def test_looking_is_one_head(self, reader: S3ObjectReader, requests: Requests) -> None:
        assert reader.find(ObjectAddress(reader.bucket, KEY)) is None
        assert requests.names == ["HeadObject"]

    def test_all_of_an_object_is_one_get_without_a_range(
        self, reader: S3ObjectReader, source: BucketObject, s3_client: S3Client
    ) -> None:
        # Given
        requests = Requests(s3_client)
        # When
        assert b"".join(reader.read(source)) == CONTENT
        # Then
        [sent] = requests.sent
        assert requests.names == ["GetObject"]
        assert (header(sent, "If-Match"), header(sent, "Range")) == (source.version, None)

    def test_a_part_of_an_object_is_one_get_of_a_range(
        self, reader: S3ObjectReader, source: BucketObject, s3_client: S3Client
    ) -> None:
        requests = Requests(s3_client)
        assert b"".join(reader.read(source, MIB, MIB + 10)) == CONTENT[MIB : MIB + 10]
        [sent] = requests.sent
        wanted = (source.version, f"bytes={MIB}-{MIB + 9}")
        assert (header(sent, "If-Match"), header(sent, "Range")) == wanted

    def test_nothing_is_sent_for_no_bytes(
        self, reader: S3ObjectReader, source: BucketObject, s3_client: S3Client
    ) -> None:
        requests = Requests(s3_client)
        assert list(reader.read(source, 5, 5)) == []
        assert requests.names == []

    def test_nothing_is_sent_before_the_first_byte_is_wanted(
        self, reader: S3ObjectReader, requests: Requests
    ) -> None:
        reader.read(THERE)
        assert requests.names == []

    def test_an_older_version_is_not_read_in_the_place_of_the_present_one(
        self, reader: S3ObjectReader, s3_client: S3Client
    ) -> None:
        # Given a bucket that keeps versions
        s3_client.put_bucket_versioning(
            Bucket=reader.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        s3_client.put_object(Bucket=reader.bucket, Key=KEY, Body=b"old")
        source = found(reader)
        assert source.version_id
        # When
        s3_client.put_object(Bucket=reader.bucket, Key=KEY, Body=b"new")
        # Then
        with pytest.raises(ObjectReplacedError):
            list(reader.read(source))

    def test_a_listing_is_a_request_for_each_thousand(
        self, reader: S3ObjectReader, s3_client: S3Client
    ) -> None:
        # Given 1001 objects, of which 1000 are below a/
        keys = ["b", *(f"a/{number}" for number in range(1000))]
        store = partial(s3_client.put_object, Bucket=reader.bucket, Body=b"")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda key: store(Key=key), keys))
        for prefix, lists in (("a/", 1), ("", 2)):
            requests = Requests(s3_client)
            # When
            listed = {each.address.key for each in reader.list(prefix)}
            # Then
            assert listed == {key for key in keys if key.startswith(prefix)}
            assert requests.names == ["ListObjectsV2"] * lists


class TestAnswers:
    def test_what_may_not_be_looked_at_is_not_known_to_be_there(self) -> None:
        assert reading(answer_of(403)).find(THERE.address) is None

    def test_a_look_that_is_refused_says_so(self) -> None:
        with pytest.raises(RefusedByStoreError, match=r"^HeadObject: 405$"):
            reading(answer_of(405)).find(THERE.address)

    def test_a_listing_that_is_refused_says_so(self) -> None:
        with pytest.raises(AccessDeniedError, match=r"^ListObjectsV2: AccessDenied$"):
            list(reading(error_of(403, "AccessDenied")).list("jobs/"))

    def test_a_look_whose_answer_is_cut_off_within_the_etag_is_unavailable(self) -> None:
        cut_off = answer_of(200, **{**HEAD, "ETag": '"e'}, Content_Length="10")
        with pytest.raises(StoreUnavailableError):
            reading(cut_off).find(THERE.address)

    @pytest.mark.parametrize(
        ("status", "code", "error"),
        [
            (412, "PreconditionFailed", ObjectReplacedError),
            (404, "NoSuchKey", ObjectReplacedError),
            (404, "NoSuchBucket", BucketMissingError),
            (403, "AccessDenied", AccessDeniedError),
            (503, "SlowDown", StoreUnavailableError),
        ],
    )
    def test_a_read_that_is_refused_says_why(
        self, status: int, code: str, error: type[TransferError]
    ) -> None:
        with pytest.raises(error):
            list(reading(error_of(status, code)).read(THERE))

    @pytest.mark.parametrize(
        ("stop", "status", "headers", "error"),
        [
            (10, 200, {"ETag": '"f"', "Content_Length": "10"}, ObjectReplacedError),
            (10, 200, {"ETag": '"e', "Content_Length": "10"}, StoreUnavailableError),
            (10, 200, {"ETag": '"e"', "Content_Length": "9"}, StoreUnavailableError),
            (10, 200, {"ETag": '"e"'}, StoreUnavailableError),
            (5, 200, {"ETag": '"e"', "Content_Length": "10"}, StoreUnavailableError),
            (
                5,
                206,
                {"ETag": '"e"', "Content_Length": "5", "Content_Range": "bytes 1-5/10"},
                StoreUnavailableError,
            ),
            (
                5,
                206,
                {"ETag": '"e"', "Content_Length": "5", "Content_Range": "bytes 0-4/11"},
                StoreUnavailableError,
            ),
        ],
    )
    def test_an_answer_to_something_else_is_not_taken(
        self, stop: int, status: int, headers: dict[str, str], error: type[TransferError]
    ) -> None:
        answer = answer_of(status, "0123456789", **headers)
        with pytest.raises(error):
            list(reading(answer).read(THERE, 0, stop))

    def test_an_etag_without_quotes_is_the_same(self) -> None:
        answer = answer_of(200, "0123456789", ETag="e", Content_Length="10")
        assert b"".join(reading(answer).read(THERE)) == b"0123456789"

    @pytest.mark.parametrize(
        "error",
        [
            IncompleteRead(5, 5),
            ProtocolError("secret"),
            ReadTimeoutError(None, "secret", "secret"),  # type: ignore[arg-type]  # no pool
            SSLError("secret"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_a_connection_that_breaks_is_unavailable(self, error: Exception) -> None:
        # Given an answer whose body breaks off
        answer = answer_of(200, ETag='"e"', Content_Length="10")
        answer.raw = _Breaking(error)
        # When / Then
        with pytest.raises(StoreUnavailableError, match=r"^S3 does not answer: \w+$"):
            list(reading(answer).read(THERE))

    def test_a_body_of_fewer_bytes_is_unavailable(self) -> None:
        fewer = answer_of(200, "012345678", ETag='"e"', Content_Length="10")
        with pytest.raises(
            StoreUnavailableError, match=r"^S3 does not answer: IncompleteReadError$"
        ):
            list(reading(fewer).read(THERE))

    def test_a_body_that_breaks_off_is_unavailable(
        self, source: BucketObject, ministack: Ministack
    ) -> None:
        with FaultyS3(ministack.port) as proxy:
            proxy.inject(S3Fault.TRUNCATED_ANSWER)
            reader = S3ObjectReader(client=client_at(proxy.url), bucket=source.address.bucket)
            with pytest.raises(StoreUnavailableError, match=r"^S3 does not answer: \w+$"):
                list(reader.read(source))

    def test_a_body_that_never_ends_is_unavailable(self) -> None:
        with _stalling() as url:
            client = make_client(url, 1, _session(), read_timeout_seconds=0.1)
            chunks = S3ObjectReader(client=client, bucket="bucket").read(THERE)
            with pytest.raises(StoreUnavailableError, match=r"^S3 does not answer: \w+$"):
                list(chunks)


class _Breaking:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, *_: Any, **__: Any) -> bytes:
        raise self._error

    def close(self) -> None:
        pass


def _session() -> boto3.Session:
    return boto3.Session("tests", "tests-secret", region_name="us-east-1")


@contextmanager
def _stalling() -> Iterator[str]:
    """The URL of a server that answers with half of the body, and then nothing."""
    ended = threading.Event()

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(64 * 1024)
            head = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 10\r\n\r\n'
            connection.sendall(head + b"01234")
            ended.wait()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        thread.join()
