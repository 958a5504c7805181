"""What a copy costs, what each of its requests carries, and what its answers mean."""

from dataclasses import replace

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import AccessDeniedError
from artifact_pipeline.domain.model.objects import ObjectAddress
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
from tests.s3.steps import (
    KEY,
    PART,
    Requests,
    answer_of,
    answered_client,
    error_of,
)
from tests.s3.test_requests import KMS, header

ONE_PART = [
    *("GetObjectTagging", "CreateMultipartUpload"),
    *("UploadPartCopy", "CompleteMultipartUpload"),
]


@pytest.fixture
def copier(s3_client: S3Client, bucket: str) -> S3ObjectCopier:
    """With small parts, on a server that answers no checksums of them."""
    return copier_of(s3_client, bucket)


@pytest.fixture
def summed(copier: S3ObjectCopier) -> S3ObjectCopier:
    """The same, with their checksums."""
    Summing(copier.client)
    return copier


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_an_object_of_one_part_costs_four_requests(
    summed: S3ObjectCopier, requests: Requests, *, is_known: bool
) -> None:
    # Given
    source = store_source(summed, SMALL)
    # When
    stored = copy(summed, source if is_known else replace(source, sha256=None))
    # Then
    assert requests.names == ONE_PART
    assert stored.sha256 == source.sha256
    assert body(summed) == SMALL


def test_of_several_parts_the_object_is_read_once(
    summed: S3ObjectCopier, requests: Requests
) -> None:
    # When
    stored = copy(summed, store_source(summed, CONTENT))
    # Then
    assert requests.names == [
        "GetObjectTagging",
        *["GetObject"] * PARTS,
        "CreateMultipartUpload",
        *["UploadPartCopy"] * PARTS,
        "CompleteMultipartUpload",
    ]
    assert str(stored.checksum).endswith(f"-{PARTS}")
    assert body(summed) == CONTENT


def test_where_no_checksum_is_answered_it_is_read_and_looked_at(
    copier: S3ObjectCopier, requests: Requests
) -> None:
    # Given
    source = store_source(copier, SMALL)
    # When
    copy(copier, source)
    # Then
    tags, create, part, complete = ONE_PART
    assert requests.names == [tags, create, part, "GetObject", complete, "HeadObject"]


def test_of_a_source_that_was_only_listed_the_checksums_are_asked_for(
    copier: S3ObjectCopier, requests: Requests
) -> None:
    # Given
    store_source(copier, SMALL)
    [listed] = copier.reader.list(OLD_KEY)
    requests.names.clear()
    # When
    copy(copier, listed)
    # Then
    tags, create, part, complete = ONE_PART
    head = "HeadObject"
    assert requests.names == [head, tags, create, part, "GetObject", complete, head]


def test_of_nothing_the_copy_is_a_put(copier: S3ObjectCopier, requests: Requests) -> None:
    copy(copier, store_source(copier, b""))
    assert requests.names == ["GetObjectTagging", "HeadObject", "PutObject"]


def test_no_part_is_copied_but_of_the_object_that_was_seen(
    summed: S3ObjectCopier, requests: Requests
) -> None:
    # Given
    source = store_source(summed, CONTENT)
    # When
    copy(summed, source)
    # Then
    parts = [part for part in requests.sent if "partNumber" in part.url]
    assert {header(part, "x-amz-copy-source-if-match") for part in parts} == {source.version}
    ends = [*(at * PART - 1 for at in range(1, PARTS)), len(CONTENT) - 1]
    assert {header(part, "x-amz-copy-source-range") for part in parts} == {
        f"bytes={number * PART}-{end}" for number, end in enumerate(ends)
    }


def test_a_copy_is_declared_where_it_begins(summed: S3ObjectCopier, requests: Requests) -> None:
    # When
    copier = replace(summed, encryption=KMS)
    stored = copy(copier, store_source(summed, SMALL), tier_name="STANDARD_IA")
    # Then
    _tags, created, copied, completed = requests.sent
    assert header(created, "x-amz-checksum-algorithm") == "SHA256"
    assert header(created, "x-amz-server-side-encryption") == KMS.algorithm
    assert header(created, "x-amz-server-side-encryption-aws-kms-key-id") == KMS.kms_key_id
    assert header(created, "x-amz-storage-class") == "STANDARD_IA"
    assert header(created, "x-amz-meta-sha256") == stored.sha256
    assert header(copied, "x-amz-copy-source-range") is None
    assert header(completed, "x-amz-mp-object-size") == str(len(SMALL))
    assert header(completed, "If-None-Match") == "*"


def test_what_is_not_known_is_not_declared(summed: S3ObjectCopier, requests: Requests) -> None:
    # Given
    source = store_source(summed, SMALL)
    copy(summed, source)
    requests.sent.clear()
    # When
    found = summed.reader.find(ObjectAddress(summed.bucket, KEY))
    assert found is not None
    copy(summed, replace(source, sha256=None), replaces=found.version)
    # Then
    created, completed = requests.sent[2], requests.sent[-1]
    assert header(created, "x-amz-storage-class") is None
    assert header(created, "x-amz-meta-sha256") is None
    assert header(completed, "If-Match") == found.version


def test_the_version_of_a_versioned_bucket_is_known(summed: S3ObjectCopier) -> None:
    # Given
    client = another(summed.client)
    client.put_bucket_versioning(
        Bucket=summed.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    # When
    first = copy(summed, store_source(summed, SMALL))
    second = copy(summed, store_source(summed, CONTENT), replaces=first.version)
    # Then
    now = client.head_object(Bucket=summed.bucket, Key=KEY)["VersionId"]
    assert None not in {first.version_id, second.version_id}
    assert first.version_id != second.version_id == now


@pytest.mark.parametrize(("number", "expected"), [(1, 1), (1000, 1), (1001, 2), (2000, 2)])
def test_a_thousand_are_deleted_with_each_request(
    copier: S3ObjectCopier, requests: Requests, number: int, expected: int
) -> None:
    # When
    copier.delete([ObjectAddress(copier.bucket, f"{each}") for each in range(number)])
    # Then
    assert requests.names == ["DeleteObjects"] * expected
    for request in requests.sent:
        assert header(request, "x-amz-checksum-sha256")
        assert "<Quiet>true</Quiet>" in str(request.body)


def test_each_bucket_takes_requests_of_its_own(copier: S3ObjectCopier, requests: Requests) -> None:
    # Given
    other = f"{copier.bucket}-other"
    another(copier.client).create_bucket(Bucket=other)
    # When
    copier.delete(
        [ObjectAddress(bucket, key) for key in "abc" for bucket in (other, copier.bucket)]
    )
    # Then
    assert requests.names == ["DeleteObjects"] * 2


def test_what_s3_refuses_to_delete_is_told_with_its_code() -> None:
    # Given
    refused = "<Error><Key>b+ä</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
    client = answered_client(lambda *_: answer_of(200, f"<DeleteResult>{refused}</DeleteResult>"))
    addresses = [ObjectAddress("bucket", key) for key in ("a", "b+ä", "c")]
    # When / Then
    assert copier_of(client, "bucket").delete(addresses) == {addresses[1]: "AccessDenied"}


def test_a_bucket_that_refuses_keeps_no_other_from_being_deleted() -> None:
    # Given
    def answer(_operation: str, request: AWSPreparedRequest) -> AWSResponse:
        denied = "attic" in request.url
        return error_of(403, "AccessDenied") if denied else answer_of(200, "<DeleteResult/>")

    copier = copier_of(answered_client(answer), "bucket")
    addresses = [ObjectAddress(bucket, KEY) for bucket in ("attic", "bucket")]
    # When, Then
    assert copier.delete(addresses) == {addresses[0]: "DeleteObjects: AccessDenied"}


def test_a_deletion_that_is_refused_says_so() -> None:
    copier = copier_of(answered_client(lambda *_: error_of(403, "AccessDenied")), "bucket")
    with pytest.raises(AccessDeniedError, match=r"^DeleteObjects: AccessDenied$"):
        copier.delete([ObjectAddress("bucket", KEY)])
