"""Bytes that arrive as others than were sent, on a server that notices."""

from collections.abc import Callable
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    StoreUnavailableError,
    TransferError,
)
from artifact_pipeline.worker.s3.checksums import acknowledged_etag, check
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.s3.steps import KEY, PART, Requests, put, random_bytes

SMALL = random_bytes(1000)
LARGE = random_bytes(2 * PART)
either_size = pytest.mark.parametrize(
    ("content", "operation"), [(SMALL, "PutObject"), (LARGE, "UploadPart")], ids=["small", "large"]
)


def spoil(store: S3ObjectStore, operation: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what is sent after it was hashed."""
    store.client.meta.events.register(
        f"before-parameter-build.s3.{operation}", lambda params, **_: change(params)
    )


def body_of_zeros(params: dict[str, Any]) -> None:
    params["Body"] = bytes(len(params["Body"]))


def checksum_of_nothing(params: dict[str, Any]) -> None:
    params["ChecksumSHA256"] = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@either_size
@pytest.mark.parametrize("change", [body_of_zeros, checksum_of_nothing])
def test_bytes_that_do_not_match_their_checksum_are_refused_at_once(
    store: S3ObjectStore,
    requests: Requests,
    content: bytes,
    operation: str,
    change: Callable[[dict[str, Any]], None],
) -> None:
    # Given
    spoil(store, operation, change)
    # When
    with pytest.raises(ChecksumMismatchError, match=f"^{operation}: BadDigest$"):
        put(store, content)
    # Then nothing is stored, and the same wrong bytes were not sent a second time
    assert _listed(store) == []
    parts = [request.url for request in requests.sent if request.method == "PUT"]
    assert len(parts) == len(set(parts))


@pytest.mark.parametrize(
    ("content", "operation"),
    [(SMALL, "PutObject"), (LARGE, "UploadPart"), (LARGE, "CompleteMultipartUpload")],
)
def test_an_answer_with_another_checksum_is_a_mismatch(
    store: S3ObjectStore, content: bytes, operation: str
) -> None:
    # Given
    def answer_another(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ChecksumSHA256"] = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

    store.client.meta.events.register(f"after-call.s3.{operation}", answer_another)
    # When / Then
    with pytest.raises(ChecksumMismatchError, match="another checksum"):
        put(store, content)


def test_a_part_that_s3_does_not_know_keeps_the_object_from_appearing(
    store: S3ObjectStore,
) -> None:
    # Given a completion that names another first part than the one that was sent
    def swap(params: dict[str, Any]) -> None:
        params["MultipartUpload"]["Parts"][0]["ETag"] = '"0123456789abcdef0123456789abcdef"'

    spoil(store, "CompleteMultipartUpload", swap)
    # When
    with pytest.raises(TransferError, match=r"^CompleteMultipartUpload: "):
        put(store, LARGE)
    # Then
    assert _listed(store) == []


@pytest.mark.parametrize("answered", [None, "abc=", "abc=-3"])
def test_a_server_may_leave_the_checksum_or_the_number_of_parts_away(answered: str | None) -> None:
    check("abc=-3", answered)


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "CompleteMultipartUpload"])
@pytest.mark.parametrize("etag", [None, "", '"', '"0123'])
def test_an_answer_that_is_cut_off_within_its_headers_is_none(
    store: S3ObjectStore, operation: str, etag: str | None
) -> None:
    # Given: what http.client takes for the end of the headers
    def cut_off(parsed: dict[str, Any], **_: Any) -> None:
        parsed.pop("ETag")
        if etag is not None:
            parsed["ETag"] = etag

    store.client.meta.events.register(f"after-call.s3.{operation}", cut_off)
    # When / Then
    with pytest.raises(StoreUnavailableError, match="cut off"):
        put(store, SMALL if operation == "PutObject" else LARGE)


@pytest.mark.parametrize("etag", ['"0123"', '"0123-3"', "0123-3"])
def test_an_etag_is_taken_as_it_is(etag: str) -> None:
    assert acknowledged_etag(etag) == etag


def _listed(store: S3ObjectStore) -> list[str]:
    found = store.client.list_objects_v2(Bucket=store.bucket, Prefix=KEY)
    return [entry["Key"] for entry in found.get("Contents", [])]
