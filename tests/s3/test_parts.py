"""How a source becomes parts, how many of them are under way, and what ends them."""

import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    LeaseLostError,
    PipelineError,
    SourceChangedError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.parts import MIN_PART, smallest_part_size
from artifact_pipeline.worker.s3.chunks import in_parts
from artifact_pipeline.worker.s3.part_sizes import (
    MAX_PARTS,
    part_size_for,
    put_threshold,
    upload_part_size,
)
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.s3.steps import (
    KEY,
    MIB,
    PART,
    Progress,
    Requests,
    answer_instead,
    error_of,
    put,
    random_bytes,
    source_of,
    store_of,
)

PACKED = ArtifactKind.RUN_RESULTS
THREADS = 4


@given(size=st.integers(0, 5 * 2**40), wanted=st.integers(5 * MIB, 5 * 2**30))
def test_no_size_makes_more_parts_than_s3_allows(size: int, wanted: int) -> None:
    part_size = part_size_for(size, wanted)
    assert -(-size // part_size) <= MAX_PARTS
    assert part_size >= wanted
    # Larger than wanted only where the next smaller one would be too small.
    assert part_size == wanted or -(-size // (part_size - 1)) > MAX_PARTS


@dataclass(frozen=True, slots=True)
class Sized:
    """A source that is only asked for its size."""

    largest_size: int
    exact_size: int | None = None
    links_left_out: int = 0

    def chunks(self) -> Iterator[bytes]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("size", "expected"),
    [(MIB, 5 * MIB), (1024 * MIB, 5 * MIB), (8_000 * MIB, 8 * MIB), (2**40, 2**40 // 10_000 + 1)],
)
def test_what_is_made_while_it_is_sent_has_small_parts(size: int, expected: int) -> None:
    assert upload_part_size(Sized(size), 16 * MIB) == expected
    assert upload_part_size(Sized(size, exact_size=size), 16 * MIB) == max(16 * MIB, expected)
    assert upload_part_size(Sized(size), 16 * MIB) >= smallest_part_size(PACKED, 16 * MIB)
    assert upload_part_size(Sized(size), MIN_PART) == max(MIN_PART, -(-size // MAX_PARTS))


def test_what_is_very_likely_large_is_not_collected_for_one_put() -> None:
    assert put_threshold(Sized(8 * MIB), MIB) == MIB
    assert put_threshold(Sized(9 * MIB), MIB) == 1
    assert put_threshold(Sized(9 * MIB, exact_size=9 * MIB), MIB) == MIB


@given(
    chunks=st.lists(st.binary(max_size=50), max_size=20),
    size=st.integers(1, 60),
)
def test_parts_are_the_same_bytes_in_equal_pieces(chunks: list[bytes], size: int) -> None:
    parts = list(in_parts(iter(chunks), size))
    assert b"".join(parts) == b"".join(chunks)
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts)


def test_as_many_parts_as_threads_are_under_way_at_once(store: S3ObjectStore) -> None:
    # Given parts that wait until four of them have met
    meeting = threading.Barrier(THREADS, timeout=30)

    def meet(**_: Any) -> None:
        meeting.wait()

    store.client.meta.events.register("before-send.s3.UploadPart", meet)
    content = random_bytes(2 * THREADS * PART)
    # When
    stored = put(store, content)
    # Then
    assert stored.sha256 == sha256(content).hexdigest()
    assert not meeting.broken


@dataclass
class Stream:
    """A long source that is never in memory as a whole, and knows how far it was read."""

    size: int
    exact_size: int | None = None
    links_left_out: int = 0
    read: int = 0

    @property
    def largest_size(self) -> int:
        return self.size

    def chunks(self) -> Iterator[bytes]:
        while self.read < self.size:
            self.read += MIB
            yield bytes(MIB)


class SlowClient:
    """Answers a part once as many are under way as there are threads, the worst for memory."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._meeting = threading.Barrier(THREADS, timeout=30)
        self._lock = threading.Lock()
        self._completed = 0
        self.furthest_ahead = 0

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "upload"}

    def upload_part(self, **part: Any) -> dict[str, str]:
        self._meeting.wait()
        with self._lock:
            ahead = self._stream.read - self._completed
            self.furthest_ahead = max(self.furthest_ahead, ahead)
            self._completed += len(part["Body"])
        return {"ETag": "e"}

    def complete_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"ETag": "e"}


def test_no_more_than_two_parts_beside_those_under_way_are_in_memory() -> None:
    # Given 256 MiB in 32 parts
    part, stream = 8 * MIB, Stream(256 * MIB)
    slow = SlowClient(stream)
    client: Any = slow
    store = store_of(client, "bucket", multipart_threshold=part, part_size=part, threads=THREADS)
    # When
    tracemalloc.start()
    try:
        stored = put(store, stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Then
    assert stored.size == stream.size
    assert slow.furthest_ahead <= (THREADS + 2) * part
    # A thread lets go of its part a moment after it has reported it, so the peak has some play.
    assert peak < 2 * (THREADS + 1) * part


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, "AccessDenied", AccessDeniedError), (503, "SlowDown", StoreUnavailableError)],
)
def test_an_error_of_one_part_is_the_uploads_and_leaves_no_thread(
    store: S3ObjectStore, status: int, code: str, error: type[PipelineError]
) -> None:
    # Given
    def refuse_the_third(_operation: str, request: AWSPreparedRequest) -> AWSResponse | None:
        return error_of(status, code) if "partNumber=3" in request.url else None

    answer_instead(store.client, refuse_the_third)
    requests = Requests(store.client)
    before = set(threading.enumerate())
    # When
    with pytest.raises(error, match=f"^UploadPart: {code}$"):
        put(store, random_bytes(20 * PART))
    # Then
    assert set(threading.enumerate()) <= before
    assert requests.count("UploadPart") < 20
    assert requests.count("CompleteMultipartUpload") == 0
    assert not _exists(store)


def test_a_source_that_changes_ends_the_upload_and_leaves_no_thread(store: S3ObjectStore) -> None:
    # Given
    class Changing:
        exact_size = None
        largest_size = 10 * PART
        links_left_out = 0

        def chunks(self) -> Iterator[bytes]:
            yield from source_of(random_bytes(5 * PART)).chunks()
            raise SourceChangedError

    before = set(threading.enumerate())
    # When
    with pytest.raises(SourceChangedError):
        put(store, Changing())
    # Then
    assert set(threading.enumerate()) <= before
    assert not _exists(store)


def test_an_upload_that_loses_its_lease_closes_its_source_at_once(store: S3ObjectStore) -> None:
    # Given a source that notes when it is closed
    closed: list[bool] = []

    class Noting:
        exact_size = None
        largest_size = 10 * PART
        links_left_out = 0

        def chunks(self) -> Iterator[bytes]:
            try:
                yield from source_of(random_bytes(10 * PART)).chunks()
            finally:
                closed.append(True)

    # When
    with pytest.raises(LeaseLostError) as lost:
        put(store, Noting(), Progress(lost_at=3))
    # Then it is closed while the error, and with it each frame, is still held
    assert lost.value is not None
    assert closed == [True]


def test_a_row_that_cannot_keep_the_upload_id_sends_no_part(
    store: S3ObjectStore, requests: Requests
) -> None:
    # Given
    class Fenced(Progress):
        def started(self, upload_id: str) -> None:
            raise LeaseLostError(upload_id)

    # When
    with pytest.raises(LeaseLostError):
        put(store, random_bytes(2 * PART), Fenced())
    # Then
    assert requests.names == ["CreateMultipartUpload", "AbortMultipartUpload"]


def _exists(store: S3ObjectStore) -> bool:
    return "Contents" in store.client.list_objects_v2(Bucket=store.bucket, Prefix=KEY)
