"""What a worker that comes back from the dead can do to the bucket: nothing."""

from os import urandom

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.s3.steps import KEY, PART, Progress, Requests, put

pytestmark = pytest.mark.processes

SIZES = pytest.mark.parametrize("size", [10, 2 * PART + 1], ids=["small", "large"])


@SIZES
def test_what_appeared_meanwhile_is_not_replaced(store: S3ObjectStore, size: int) -> None:
    # Given an object of which the late worker knows nothing
    newer = urandom(size)
    put(store, newer)
    # When it finishes
    with pytest.raises(ObjectReplacedError):
        put(store, urandom(size))
    # Then the newer bytes are still there
    assert _body(store) == newer


@SIZES
def test_only_the_object_that_was_named_is_replaced(store: S3ObjectStore, size: int) -> None:
    # Given an object that was replaced since the late worker looked
    first = put(store, urandom(size))
    newer = urandom(size)
    put(store, newer, replaces=first.version)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        put(store, urandom(size), replaces=first.version)
    assert _body(store) == newer


@SIZES
def test_the_right_etag_replaces(store: S3ObjectStore, size: int) -> None:
    first = put(store, urandom(size))
    newer = urandom(size)
    again = put(store, newer, replaces=first.version)
    assert _body(store) == newer
    assert store.version(KEY) == again.version


@SIZES
def test_the_same_bytes_are_taken_for_this_upload(
    s3_client: S3Client, store: S3ObjectStore, size: int
) -> None:
    # Given an object that an attempt stored before it died
    content = urandom(size)
    stored = put(store, content)
    # When the next attempt, which does not know of it, stores the same
    again = put(store, content)
    # Then it is that object, and no multipart upload stays open
    assert (again.version, again.sha256, again.size) == (stored.version, stored.sha256, size)
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket=store.bucket)


def test_what_was_completed_but_not_recorded_is_not_sent_again(
    store: S3ObjectStore, requests: Requests
) -> None:
    # Given a multipart upload whose worker died after completing it
    content, progress = urandom(3 * PART), Progress()
    stored = put(store, content, progress)
    requests.sent.clear()
    # When the next attempt goes on with its id
    again = put(store, content, Progress(progress.upload_id))
    # Then it looks, and sends nothing
    assert requests.names[-2:] == ["ListParts", "HeadObject"]
    assert again.bytes_sent == 0
    assert (again.version, again.sha256) == (stored.version, stored.sha256)


def test_other_bytes_are_not_taken_for_an_upload_that_is_gone(store: S3ObjectStore) -> None:
    progress = Progress()
    first = put(store, urandom(2 * PART), progress)
    changed = urandom(2 * PART)
    again = put(store, changed, Progress(progress.upload_id), replaces=first.version)
    assert again.bytes_sent == len(changed)
    assert _body(store) == changed


def test_an_object_that_is_gone_is_not_replaced_but_made(store: S3ObjectStore) -> None:
    first = put(store, urandom(10))
    store.client.delete_object(Bucket=store.bucket, Key=KEY)
    with pytest.raises(ObjectReplacedError):
        put(store, b"again", replaces=first.version)
    assert store.version(KEY) is None
    put(store, b"again", replaces=None)


def test_a_source_that_shrank_leaves_no_multipart_upload(
    s3_client: S3Client, store: S3ObjectStore
) -> None:
    # Given parts of an attempt before
    answer = s3_client.create_multipart_upload(Bucket=store.bucket, Key=KEY)
    # When the source now fits into one PUT
    put(store, b"small", Progress(answer["UploadId"]))
    # Then nobody would go on with them
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket=store.bucket)


def _body(store: S3ObjectStore) -> bytes:
    return store.client.get_object(Bucket=store.bucket, Key=KEY)["Body"].read()
