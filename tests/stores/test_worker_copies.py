"""Copies through the worker, on a store that has no UploadPartCopy."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    LeaseLostError,
    ObjectReplacedError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.abilities import Checksum, Copies, StoreAbilities
from artifact_pipeline.worker.s3.worker_copies import ObjectSource
from tests.contract.copier_steps import OLD_KEY, copy
from tests.s3.steps import KEY, PART, Progress, random_bytes
from tests.stores.abilities_steps import Lacking, copier_adapter, lacking
from tests.stores.lacking import Lack
from tests.stores.s3_requests import Answer

CONTENT = random_bytes(3 * PART + 1)
PARTS = 4


@pytest.fixture
def on(ministack: Ministack) -> Iterator[Lacking]:
    # moto lists no SHA-256 of parts; by their MD5 a copy can be resumed.
    abilities = StoreAbilities(copies=Copies.WORKER, checksum=Checksum.MD5)
    with lacking(ministack, Lack.PART_COPIES, Lack.CHECKSUMS, abilities=abilities) as on:
        yield on


def source(on: Lacking, content: bytes = CONTENT) -> BucketObject:
    original = copier_adapter(on).stored(content)
    on.server.requests.clear()
    return original


def test_it_is_read_in_ranges_and_sent_in_parts(on: Lacking) -> None:
    # Given
    original = source(on)
    # When
    copied = copy(on.copier, original)
    # Then
    assert on.server.requests.count("GetObject") == PARTS
    assert on.server.requests.count("UploadPart") == PARTS
    assert "UploadPartCopy" not in on.server.requests
    assert (copied.sha256, on.body(KEY)) == (sha256(CONTENT).hexdigest(), CONTENT)


def test_the_headers_of_the_copy_are_those_that_are_given(on: Lacking) -> None:
    # Given
    original = source(on)
    create: dict[str, Any] = {
        "ContentType": "text/plain",
        "CacheControl": "no-store",
        "ContentDisposition": "attachment",
        "Metadata": {"any": "thing"},
    }
    assert on.copier.by_worker is not None
    # When
    on.copier.by_worker.copy(
        original, KEY, create=create, precondition=Create(), progress=Progress()
    )
    # Then
    head = on.direct.head_object(Bucket=on.bucket, Key=KEY)
    assert {name: head[name] for name in create} == create  # type: ignore[literal-required]


def test_the_next_attempt_sends_only_what_is_missing(on: Lacking) -> None:
    # Given a copy that ended after two of its parts
    original, progress = source(on), Progress(lost_at=3)
    with pytest.raises(LeaseLostError):
        copy(on.copier, original, progress=progress)
    sent = on.server.requests.count("UploadPart")
    on.server.requests.clear()
    # When
    copied = copy(on.copier, original, progress=Progress(progress.upload_id))
    # Then
    assert 0 < sent < PARTS
    assert on.server.requests.count("UploadPart") == PARTS - sent
    assert "CreateMultipartUpload" not in on.server.requests
    assert (copied.bytes_sent < len(CONTENT), on.body(KEY)) == (True, CONTENT)


def test_a_copy_that_is_there_already_sends_nothing(on: Lacking) -> None:
    # Given a copy whose worker died before it could record it, and parts of another attempt
    original = source(on)
    first = copy(on.copier, original)
    begun = on.direct.create_multipart_upload(Bucket=on.bucket, Key=KEY)["UploadId"]
    on.server.requests.clear()
    # When
    again = copy(on.copier, original, progress=Progress(begun))
    # Then
    assert (again.version, again.sha256) == (first.version, first.sha256)
    assert not {"UploadPart", "CreateMultipartUpload", "PutObject"} & {*on.server.requests}
    assert "Uploads" not in on.direct.list_multipart_uploads(Bucket=on.bucket)


@pytest.mark.parametrize("content", [CONTENT, CONTENT[:100]], ids=["large", "small"])
def test_a_source_that_is_not_what_is_known_of_it_is_not_copied(
    on: Lacking, content: bytes
) -> None:
    # Given
    original = replace(source(on, content), sha256="0" * 64)
    # When / Then
    with pytest.raises(ChecksumMismatchError):
        copy(on.copier, original)
    assert on.body(KEY) is None
    assert "Uploads" not in on.direct.list_multipart_uploads(Bucket=on.bucket)


def test_a_source_that_cannot_be_read_now_keeps_the_parts(on: Lacking) -> None:
    # Given
    original, progress = source(on), Progress()
    on.server.after = lambda request: (
        on.server.refuses.update(GetObject=Answer.refusing(503, "SlowDown"))
        if request.operation == "UploadPart"
        else None
    )
    # When
    with pytest.raises(StoreUnavailableError):
        copy(on.copier, original, progress=progress)
    # Then
    assert progress.upload_id is not None
    parts = on.direct.list_parts(Bucket=on.bucket, Key=KEY, UploadId=progress.upload_id)
    assert parts["Parts"]


def test_no_more_than_one_range_is_in_memory() -> None:
    # Given a source of 200 ranges
    range_size = 2**20

    class Endless:
        """Reads zeros."""

        def read(self, _there: BucketObject, start: int, stop: int) -> Iterator[bytes]:
            yield from (bytes(2**16) for _ in range(start, stop, 2**16))

        def verifier(self, _there: BucketObject) -> "Endless":
            return self

        def update(self, chunk: bytes) -> None:
            """Compare nothing."""

        def check(self) -> None:
            """Compare nothing."""

    reader: Any = Endless()
    original: Any = type("There", (), {"size": 200 * range_size})
    # When
    tracemalloc.start()
    try:
        total = sum(map(len, ObjectSource(original, reader, range_size).chunks()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Then
    assert total == original.size
    assert peak < 4 * range_size


def test_an_empty_source_that_was_replaced_is_not_copied(on: Lacking) -> None:
    original = source(on, b"")
    on.put(OLD_KEY, b"newer")
    assert on.reader.find(ObjectAddress(on.bucket, OLD_KEY)) != original
    with pytest.raises(ObjectReplacedError):
        copy(on.copier, original)
    assert on.body(KEY) is None
