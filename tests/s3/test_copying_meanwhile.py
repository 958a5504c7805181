"""What comes between a copy and its end."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from tests.contract.copier_steps import OLD_KEY, copy
from tests.s3.copying_steps import (
    CONTENT,
    PARTS,
    SMALL,
    Summing,
    another,
    body,
    copier_of,
    store_source,
)
from tests.s3.steps import KEY, Progress, Requests, put, store_of

pytestmark = pytest.mark.processes

each_size = pytest.mark.parametrize("content", [SMALL, CONTENT], ids=["small", "large"])


@pytest.fixture(params=["summed", "by their ETags"])
def copier(request: pytest.FixtureRequest, s3_client: S3Client, bucket: str) -> S3ObjectCopier:
    """With small parts, that are known by what S3 answers or a server without checksums does."""
    if request.param == "summed":
        Summing(s3_client)
    return copier_of(s3_client, bucket)


def before(copier: S3ObjectCopier, operation: str, act: Callable[[], object], at: int = 1) -> None:
    """Do this just before the request of that number is sent."""
    numbers = count(1)

    def handle(**_: Any) -> None:
        if next(numbers) == at:
            act()

    copier.client.meta.events.register(f"before-send.s3.{operation}", handle)


def put_another(copier: S3ObjectCopier, key: str, content: bytes) -> None:
    another(copier.client).put_object(Bucket=copier.bucket, Key=key, Body=content)


@each_size
def test_an_upload_that_lands_before_the_copy_stays(copier: S3ObjectCopier, content: bytes) -> None:
    # Given
    source = store_source(copier, content)
    before(copier, "CompleteMultipartUpload", lambda: put_another(copier, KEY, b"newer"))
    # When / Then
    with pytest.raises(ObjectReplacedError):
        copy(copier, source)
    assert body(copier) == b"newer"


def test_the_next_attempt_that_may_replace_it_copies_no_part_again(
    copier: S3ObjectCopier, requests: Requests
) -> None:
    # Given a copy that found another object at its end
    source, progress = store_source(copier, CONTENT), Progress()
    before(copier, "CompleteMultipartUpload", lambda: put_another(copier, KEY, b"newer"))
    with pytest.raises(ObjectReplacedError):
        copy(copier, source, progress=progress)
    newer = another(copier.client).head_object(Bucket=copier.bucket, Key=KEY)["ETag"]
    requests.names.clear()
    # When
    copy(copier, source, progress=Progress(progress.upload_id), replaces=newer)
    # Then
    assert requests.count("UploadPartCopy") == 0
    assert body(copier) == CONTENT


def test_an_upload_that_lands_while_its_class_is_changed_stays(copier: S3ObjectCopier) -> None:
    # Given
    put_another(copier, KEY, SMALL)
    [source] = copier.reader.list(KEY)
    before(copier, "CompleteMultipartUpload", lambda: put_another(copier, KEY, SMALL[::-1]))
    # When / Then
    with pytest.raises(ObjectReplacedError):
        copy(copier, source, replaces=source.version, tier_name="STANDARD_IA")
    assert body(copier) == SMALL[::-1]


@pytest.mark.parametrize(
    ("content", "operation", "at"),
    [
        (SMALL, "UploadPartCopy", 1),
        (CONTENT, "UploadPartCopy", 1),
        (CONTENT, "UploadPartCopy", PARTS),
        (CONTENT, "GetObject", 2),
    ],
)
@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "replaced"])
def test_a_source_that_changes_is_not_copied(
    copier: S3ObjectCopier, content: bytes, operation: str, at: int, *, is_gone: bool
) -> None:
    # Given
    source = store_source(copier, content)

    def change() -> None:
        if is_gone:
            another(copier.client).delete_object(Bucket=copier.bucket, Key=OLD_KEY)
        else:
            put_another(copier, OLD_KEY, content[::-1])

    before(replace(copier, threads=1), operation, change, at)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        copy(replace(copier, threads=1), source)
    assert body(copier) is None


@each_size
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_as_many_bytes_are_not_taken_for_the_same(
    copier: S3ObjectCopier, content: bytes, *, is_known: bool
) -> None:
    # Given
    source, other = store_source(copier, content), content[::-1]
    metadata = {"sha256": sha256(other).hexdigest()} if is_known else {}
    client = another(copier.client)
    client.put_object(Bucket=copier.bucket, Key=KEY, Body=other, Metadata=metadata)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        copy(copier, source)
    assert body(copier) == other


def test_what_cannot_be_the_same_is_not_read(copier: S3ObjectCopier, requests: Requests) -> None:
    # Given
    source = store_source(copier, SMALL)
    put_another(copier, KEY, b"newer")
    # When
    with pytest.raises(ObjectReplacedError):
        copy(copier, source)
    # Then
    assert not [each for each in requests.sent if each.method == "GET" and KEY in each.url]


def test_what_an_upload_stored_in_the_same_parts_is_taken_unread(
    copier: S3ObjectCopier, requests: Requests
) -> None:
    # Given
    source = replace(store_source(copier, CONTENT), sha256=None)
    stored = put(store_of(another(copier.client), copier.bucket), CONTENT)
    # When
    copied = copy(copier, source)
    # Then
    assert (copied.version, copied.checksum) == (stored.version, stored.checksum)
    assert requests.names[-2:] == ["HeadObject", "AbortMultipartUpload"]


def test_an_upload_that_lands_right_after_the_copy_is_not_taken_for_it(
    s3_client: S3Client, bucket: str
) -> None:
    # Given a server of whose answer alone nobody can tell that the size is right
    copier = copier_of(s3_client, bucket)
    source = store_source(copier, SMALL)
    before(copier, "HeadObject", lambda: put_another(copier, KEY, b"newer"))
    # When / Then
    with pytest.raises(ObjectReplacedError):
        copy(copier, source)
    assert body(copier) == b"newer"
