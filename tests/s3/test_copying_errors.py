"""What S3 can answer to a copy, and what stays of it then."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    ArchivedError,
    BucketMissingError,
    ChecksumMismatchError,
    LeaseLostError,
    StoreConflictError,
    StoreUnavailableError,
    TransferError,
)
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from artifact_pipeline.worker.s3.encryption import Encryption
from tests.contract.copier_steps import copy
from tests.s3.copying_steps import (
    CONTENT,
    SMALL,
    Summing,
    body,
    copier_of,
    instead_of,
    open_uploads,
    parts_of,
    store_source,
)
from tests.s3.steps import PART, Progress, answer_of, error_of
from tests.s3.test_requests import KMS

pytestmark = pytest.mark.processes

each_size = pytest.mark.parametrize("content", [SMALL, CONTENT], ids=["small", "large"])


@pytest.fixture
def copier(s3_client: S3Client, bucket: str) -> S3ObjectCopier:
    """With small parts, on a server that answers no checksums of them."""
    return copier_of(s3_client, bucket)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (error_of(403, "InvalidObjectState"), ArchivedError),
        (error_of(403, "AccessDenied"), AccessDeniedError),
        (error_of(404, "NoSuchBucket"), BucketMissingError),
    ],
    ids=["archived", "denied", "no such bucket"],
)
@each_size
def test_of_a_copy_that_cannot_succeed_nothing_stays(
    copier: S3ObjectCopier, content: bytes, answer: AWSResponse, error: type[TransferError]
) -> None:
    # Given
    source = store_source(copier, content)
    instead_of(copier, "UploadPartCopy", answer)
    # When
    with pytest.raises(error) as raised:
        copy(copier, source)
    # Then
    assert str(raised.value).startswith("UploadPartCopy: ")
    assert open_uploads(copier) == 0
    assert body(copier) is None


def test_parts_that_cannot_be_dropped_hide_no_error(
    copier: S3ObjectCopier, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    source = store_source(copier, SMALL)
    instead_of(copier, "UploadPartCopy", error_of(403, "InvalidObjectState"))
    instead_of(copier, "AbortMultipartUpload", error_of(403, "AccessDenied"))
    # When
    with pytest.raises(ArchivedError):
        copy(copier, source)
    # Then
    assert "AbortMultipartUpload: AccessDenied" in caplog.text
    assert "secret" not in caplog.text


def test_who_lost_its_lease_leaves_the_parts_to_its_successor(copier: S3ObjectCopier) -> None:
    # Given a part that is refused, to a worker that lost its lease meanwhile
    source, progress = store_source(copier, SMALL), Progress(lost_at=2)
    instead_of(copier, "UploadPartCopy", error_of(403, "AccessDenied"))
    # When
    with pytest.raises(LeaseLostError):
        copy(copier, source, progress=progress)
    # Then
    assert parts_of(copier, progress.upload_id) == []


@pytest.mark.parametrize(
    ("operation", "answer", "error"),
    [
        ("UploadPartCopy", error_of(503, "SlowDown"), StoreUnavailableError),
        # S3 has answered 200 before it knows how it ends.
        ("UploadPartCopy", error_of(200, "InternalError"), StoreUnavailableError),
        ("CompleteMultipartUpload", error_of(200, "InternalError"), StoreUnavailableError),
        ("UploadPartCopy", answer_of(200, "<CopyPartResult/>"), StoreUnavailableError),
        ("CompleteMultipartUpload", answer_of(200, "<R/>"), StoreUnavailableError),
        (
            "CompleteMultipartUpload",
            error_of(409, "ConditionalRequestConflict"),
            StoreConflictError,
        ),
    ],
)
def test_what_may_pass_keeps_the_parts(
    copier: S3ObjectCopier, operation: str, answer: AWSResponse, error: type[TransferError]
) -> None:
    # Given
    source, progress = store_source(copier, SMALL), Progress()
    instead_of(copier, operation, answer)
    # When
    with pytest.raises(error) as raised:
        copy(copier, source, progress=progress)
    # Then
    assert type(raised.value) is error
    assert open_uploads(copier) == 1
    assert body(copier) is None


def test_a_copy_of_another_size_is_noticed(copier: S3ObjectCopier) -> None:
    # Given
    source = store_source(copier, SMALL)

    def shorten(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ContentLength"] -= 1

    copier.client.meta.events.register("after-call.s3.HeadObject", shorten)
    # When / Then
    with pytest.raises(ChecksumMismatchError):
        copy(copier, source)


@pytest.mark.parametrize("is_summed", [True, False], ids=["summed", "by their ETags"])
def test_a_part_that_is_not_the_sources_is_noticed_before_the_copy_appears(
    copier: S3ObjectCopier, *, is_summed: bool
) -> None:
    # Given a server that copies the first range in the place of the second
    source = store_source(copier, CONTENT)

    def mistake(params: dict[str, Any], **_: Any) -> None:
        if params["PartNumber"] == 2:
            params["CopySourceRange"] = f"bytes=0-{PART - 1}"

    copier.client.meta.events.register("before-parameter-build.s3.UploadPartCopy", mistake)
    if is_summed:
        Summing(copier.client)
    # When
    with pytest.raises(ChecksumMismatchError):
        copy(copier, source)
    # Then
    assert body(copier) is None
    assert open_uploads(copier) == 0


@each_size
@pytest.mark.parametrize("is_summed", [True, False], ids=["summed", "read"])
def test_a_source_that_is_not_what_is_known_of_it_is_not_copied(
    copier: S3ObjectCopier, content: bytes, *, is_summed: bool
) -> None:
    # Given
    source = replace(store_source(copier, content), sha256="0" * 64)
    if is_summed:
        Summing(copier.client)
    # When
    with pytest.raises(ChecksumMismatchError):
        copy(copier, source)
    # Then
    assert body(copier) is None
    assert open_uploads(copier) == 0


@pytest.mark.parametrize("tells", ["asked for", "CreateMultipartUpload", "UploadPartCopy"])
def test_an_etag_under_kms_is_not_taken_for_an_md5(
    s3_client: S3Client, bucket: str, tells: str
) -> None:
    # Given a server whose ETags of parts look like an MD5, and are none, because of what the worker
    # asks for, or of the bucket's default
    encryption = KMS if tells == "asked for" else Encryption()
    copier = copier_of(s3_client, bucket, encryption=encryption)

    def disguise(parsed: dict[str, Any], **_: Any) -> None:
        parsed["CopyPartResult"]["ETag"] = parsed["CopyPartResult"]["ETag"][::-1]

    def tell(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ServerSideEncryption"] = "aws:kms"

    s3_client.meta.events.register(f"after-call.s3.{tells}", tell)

    def reveal(params: dict[str, Any], **_: Any) -> None:
        for part in params["MultipartUpload"]["Parts"]:
            part["ETag"] = part["ETag"][::-1]

    s3_client.meta.events.register("after-call.s3.UploadPartCopy", disguise)
    s3_client.meta.events.register("before-parameter-build.s3.CompleteMultipartUpload", reveal)
    # When
    copy(copier, store_source(copier, CONTENT))
    # Then
    assert body(copier) == CONTENT
