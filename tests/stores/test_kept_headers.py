"""A copy keeps all that its source has beside the bytes, or is refused with the reason."""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import AccessDeniedError, NotCopyableError, RefusedByStoreError
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.worker.s3.checksums import as_base64
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from tests.contract.copier_steps import OLD_KEY, copy
from tests.s3.copying_steps import copier_of
from tests.s3.steps import KEY, METADATA, answer_of, answered_client, error_of

BUCKET = "kept"
HEADERS = {
    "CacheControl": "max-age=31536000, immutable",
    "ContentDisposition": 'attachment; filename="case 12.json"',
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
    "ContentType": "application/json; charset=utf-8",
    "Expires": datetime(2030, 1, 1, tzinfo=UTC),
    "WebsiteRedirectLocation": "/elsewhere",
}
OWN = {"submitted-by": "u-17", "title": "=?UTF-8?Q?gr=C3=BCn?="}
"""Metadata of a client; one value in RFC 2047, as S3 answers what is not ASCII."""
TAGS = {"retention": "7y", "cost centre": "epi/1+1=2"}
each_size = pytest.mark.parametrize("body", [b"{}", b""], ids=["some", "nothing"])


@pytest.fixture
def copier() -> Iterator[S3ObjectCopier]:
    """In a bucket in memory."""
    with mock_aws():
        session = boto3.Session("tests", "tests-secret", region_name="us-east-1")
        client = make_client(None, threads=2, session=session)
        client.create_bucket(Bucket=BUCKET)
        yield copier_of(client, BUCKET)


def put(copier: S3ObjectCopier, body: bytes, **described: Any) -> BucketObject:
    """Put the source as a client does, and list it as a command does."""
    copier.client.put_object(Bucket=BUCKET, Key=OLD_KEY, Body=body, **described)
    [listed] = copier.reader.list(OLD_KEY)
    return listed


def tags_of(client: S3Client, key: str) -> dict[str, str]:
    answer = client.get_object_tagging(Bucket=BUCKET, Key=key)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


@each_size
@pytest.mark.parametrize("key", [KEY, OLD_KEY], ids=["elsewhere", "in its place"])
def test_everything_is_kept(copier: S3ObjectCopier, body: bytes, key: str) -> None:
    # Given an object with all that a client can give it
    tagging = "retention=7y&cost%20centre=epi%2F1%2B1%3D2"
    source = put(copier, body, **HEADERS, Metadata=OWN, Tagging=tagging)
    # When
    copy(copier, source, key, replaces=source.version if key == OLD_KEY else None)
    # Then
    head = copier.client.head_object(Bucket=BUCKET, Key=key)
    assert {name: head.get(name) for name in HEADERS} == HEADERS
    assert head["Metadata"].items() >= {**OWN, **METADATA}.items()
    assert tags_of(copier.client, key) == TAGS


@each_size
def test_an_object_that_says_nothing_gets_the_type_of_its_kind(
    copier: S3ObjectCopier, body: bytes
) -> None:
    copy(copier, put(copier, body))
    head = copier.client.head_object(Bucket=BUCKET, Key=KEY)
    assert head["ContentType"] == "application/zip"
    assert tags_of(copier.client, KEY) == {}


class Store:
    """Answers as a store with one object does, and keeps what is asked of it."""

    def __init__(self, **head: str) -> None:
        self.head = {
            "ETag": '"etag"',
            "Last-Modified": "Thu, 23 Oct 2025 21:15:00 GMT",
            "Content-Length": "2",
            "Date": "Thu, 01 Jan 2026 00:00:00 GMT",
            **{name.replace("_", "-"): value for name, value in head.items()},
        }
        self.answers: dict[str, AWSResponse] = {}
        self.created: dict[str, str] = {}

    def __call__(self, operation: str, request: AWSPreparedRequest) -> AWSResponse:
        if operation in self.answers:
            return self.answers[operation]
        return getattr(self, operation)(request)  # type: ignore[no-any-return]  # an answer below

    def HeadObject(self, _request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802 - its name
        return answer_of(200, **self.head)

    def GetObjectTagging(self, _request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
        tag = "<Tag><Key>retention</Key><Value>7y</Value></Tag>"
        return answer_of(200, f"<Tagging><TagSet>{tag}</TagSet></Tagging>")

    def CreateMultipartUpload(self, request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
        headers: Any = request.headers
        for name, value in headers.items():
            self.created[name.lower()] = value.decode() if isinstance(value, bytes) else value
        return answer_of(200, "<R><UploadId>upload</UploadId></R>")

    def UploadPartCopy(self, _request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
        return answer_of(
            200,
            (
                "<CopyPartResult><ETag>part</ETag>"
                f"<ChecksumSHA256>{as_base64(sha256(b'{}').digest())}</ChecksumSHA256></CopyPartResult>"
            ),
        )

    def GetObject(self, _request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
        return answer_of(200, "{}", ETag='"etag"', Content_Length="2")

    def CompleteMultipartUpload(self, _request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
        return answer_of(200, "<R><ETag>copied</ETag></R>")

    def AbortMultipartUpload(self, _request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
        return answer_of(204)


def copied(store: Store) -> dict[str, str]:
    """Copy the object of the store; return the headers by which the copy began."""
    listed = BucketObject(
        address=ObjectAddress(BUCKET, OLD_KEY),
        size=2,
        version='"etag"',
        modified_at=datetime(2025, 10, 23, 21, 15, tzinfo=UTC),
    )
    copy(copier_of(answered_client(store), BUCKET), listed)
    return store.created


LOCKED = {
    "x_amz_object_lock_mode": "COMPLIANCE",
    "x_amz_object_lock_retain_until_date": "2030-01-01T00:00:00Z",
    "x_amz_object_lock_legal_hold": "ON",
}


def test_an_object_lock_holds_the_copy_too() -> None:
    created = copied(Store(**LOCKED))
    assert created["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert created["x-amz-object-lock-retain-until-date"].startswith("2030-01-01T00:00:00")
    assert created["x-amz-object-lock-legal-hold"] == "ON"


def test_a_retention_that_has_ended_by_the_stores_clock_is_not_asked_for() -> None:
    created = copied(Store(**{**LOCKED, "Date": "Thu, 03 Jan 2030 00:00:00 GMT"}))
    assert "x-amz-object-lock-mode" not in created
    assert created["x-amz-object-lock-legal-hold"] == "ON"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"x_amz_meta_title": "gr\xfcn"}, "the source's title has characters that a copy cannot"),
        ({"Content_Disposition": "f\xfcr"}, "the source's ContentDisposition has characters"),
        ({"x_amz_missing_meta": "2"}, "2 values of the source's metadata cannot be read by HTTP"),
        ({"Expires": "soon"}, "the source's Expires is not a date: 'soon'"),
    ],
)
def test_what_cannot_be_kept_is_named_and_nothing_is_copied(
    head: dict[str, str], said: str
) -> None:
    store = Store(**head)
    with pytest.raises(NotCopyableError, match=said):
        copied(store)
    assert not store.created


def test_metadata_that_is_too_long_with_ours_is_named() -> None:
    store = Store(x_amz_meta_long="x" * 2000)
    store.answers["CreateMultipartUpload"] = error_of(400, "MetadataTooLarge")
    with pytest.raises(NotCopyableError, match=r"source's metadata and the pipeline's have 2,0"):
        copied(store)


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize(
    "answer",
    [error_of(501, "NotImplemented"), error_of(404, "NoSuchTagSet"), answer_of(500)],
    ids=["not implemented", "no tag set", "rclone"],
)
def test_a_store_without_tags_copies(answer: AWSResponse) -> None:
    store = Store()
    store.answers["GetObjectTagging"] = answer
    assert "x-amz-tagging" not in copied(store)


def test_tags_that_a_store_ignores_at_first_are_given_to_the_copy() -> None:
    # Given a store whose copies have no tags yet
    class Ignoring(Store):
        def GetObjectTagging(self, request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
            is_copy = KEY in request.url
            return error_of(404, "NoSuchTagSet") if is_copy else super().GetObjectTagging(request)

        def PutObjectTagging(self, request: AWSPreparedRequest) -> AWSResponse:  # noqa: N802
            tagged.append(
                (KEY in request.url, "<Key>retention</Key><Value>7y" in str(request.body))
            )
            return answer_of(200)

    tagged: list[tuple[bool, bool]] = []
    # When
    copied(Ignoring())
    # Then
    assert tagged == [(True, True)]


def test_tags_that_may_not_be_read_are_not_lost() -> None:
    store = Store()
    store.answers["GetObjectTagging"] = error_of(403, "AccessDenied")
    with pytest.raises(AccessDeniedError, match="allow s3:GetObjectTagging and"):
        copied(store)
    assert not store.created


def test_tags_are_sent_as_a_query() -> None:
    assert parse_qs(copied(Store())["x-amz-tagging"]) == {"retention": ["7y"]}


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("AccessDenied", AccessDeniedError, "s3:PutObjectRetention, s3:PutObjectTagging"),
        ("InvalidRequest", RefusedByStoreError, "keeps the source's Tagging, ObjectLockMode"),
    ],
)
def test_a_refusal_names_what_the_copy_carries(
    code: str, error: type[Exception], said: str
) -> None:
    store = Store(**LOCKED)
    store.answers["CreateMultipartUpload"] = error_of(400, code)
    with pytest.raises(error, match=said):
        copied(store)
