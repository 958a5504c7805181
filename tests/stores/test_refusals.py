"""Stores that lack what a request asks for: who learns of it, and what the line says."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    RefusedByStoreError,
    StoreUnavailableError,
    TransferError,
    UnsupportedByStoreError,
)
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.composition.bucket_adapters import BucketAdapters
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.tags import ObjectTags
from artifact_pipeline.worker.settings import BucketSettings
from tests.domain.world import CONFIG, World
from tests.s3.steps import (
    PART,
    Requests,
    answer_of,
    answered_client,
    client_at,
    error_of,
    put,
    random_bytes,
    store_of,
)
from tests.stores.refusing import Refusal, RefusingS3, asks_for, is_operation

AES256 = Encryption("AES256")
WITHOUT_KMS = "Server side encryption specified but KMS is not configured"
LACKING = (
    ": the store does not support one of: a checksum, a condition, encryption, tags. Unset"
    " ARTIFACTS_SSE or ARTIFACTS_S3_TAGS. `artifacts doctor --probe` shows what it lacks"
)
UNIMPLEMENTED = "A header you provided implies functionality that is not implemented"


@pytest.fixture
def front(ministack: Ministack) -> Iterator[RefusingS3]:
    with RefusingS3(ministack.port) as front:
        yield front


@pytest.fixture
def world(front: RefusingS3, bucket: str) -> World:
    """A world whose bucket is behind the front; its breaker opens by one failure."""
    world = World()
    world.workspace.contents = {CONFIG: b'{"epochs": 3}'}
    world.breaker = world.new_breaker(threshold=1)
    store: Any = store_of(client_at(front.url), bucket, encryption=AES256)
    world.store = store
    return world


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "InvalidArgument")])
def test_encryption_that_a_store_lacks_ends_the_transfer_and_names_the_setting(
    front: RefusingS3, world: World, status: int, code: str
) -> None:
    # Given MinIO without KMS, new and old
    is_encrypted = asks_for("x-amz-server-side-encryption")
    front.refusals = [Refusal(when=is_encrypted, status=status, code=code, message=WITHOUT_KMS)]
    # When
    with pytest.raises(UnsupportedByStoreError):
        world.upload()
    # Then
    latest = world.latest()
    assert (latest.state, latest.attempts) == (TransferState.QUARANTINED, 1)
    assert latest.last_error == (
        f"PutObject: {code}: the store does not support encryption. Unset ARTIFACTS_SSE."
        " `artifacts doctor --probe` shows what it lacks"
    )
    assert not world.failures.counts
    # And botocore did not try again
    assert front.counts["PutObject"] == 1


def test_encryption_that_the_signing_of_urls_asks_for_names_that_setting(
    front: RefusingS3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    is_encrypted = asks_for("x-amz-server-side-encryption")
    front.refusals = [Refusal(when=is_encrypted, status=501, code="X", message=WITHOUT_KMS)]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    settings = BucketSettings(bucket=bucket, s3_endpoint_url=front.url, url_signs_encryption=True)
    # When / Then
    with pytest.raises(UnsupportedByStoreError, match=r"Unset ARTIFACTS_URL_SIGNS_ENCRYPTION\."):
        put(BucketAdapters(settings).store, b"abc")


def test_a_condition_that_a_store_lacks_ends_the_transfer_and_lists_what_was_asked_for(
    front: RefusingS3, world: World
) -> None:
    # Given a store without conditional writes, whose answer does not name the header
    is_conditional = asks_for("if-none-match")
    front.refusals = [
        Refusal(when=is_conditional, status=501, code="NotImplemented", message=UNIMPLEMENTED)
    ]
    # When
    with pytest.raises(UnsupportedByStoreError) as raised:
        world.upload()
    # Then
    assert "does not support one of: a checksum, a condition, encryption." in str(raised.value)
    assert world.latest().state is TransferState.QUARANTINED
    assert not world.failures.counts


@pytest.mark.parametrize("code", ["IncompleteBody", "ThrottlingException", "RequestTimeout"])
def test_a_400_that_passes_is_tried_again(front: RefusingS3, world: World, code: str) -> None:
    # Given an answer that outlasts botocore's own tries
    front.refusals = [Refusal(when=is_operation("PutObject"), status=400, code=code)]
    with pytest.raises(StoreUnavailableError):
        world.upload()
    assert (world.latest().state, world.latest().attempts) == (TransferState.WAITING, 0)
    # When the breaker has closed
    front.refusals = []
    world.clock.advance(2 * world.breaker.open_for)
    # Then
    assert world.upload().state is TransferState.DONE


def test_the_line_quotes_nothing_of_the_answer(bucket: str) -> None:
    def refuse(_operation: str, _request: AWSPreparedRequest) -> AWSResponse:
        return error_of(501, "NotImplemented")

    with pytest.raises(UnsupportedByStoreError) as raised:
        put(store_of(answered_client(refuse), bucket), b"abc")
    assert not any(secret in str(raised.value) for secret in ("secret", "AKIA", bucket))


@pytest.mark.parametrize(
    ("encryption", "size", "operation", "need"),
    [
        (
            Encryption(),
            10,
            "PutObject",
            "; one that demands an encryption header needs ARTIFACTS_SSE",
        ),
        (
            Encryption("aws:kms", "key"),
            PART,
            "CreateMultipartUpload",
            "; the key needs kms:GenerateDataKey and kms:Decrypt",
        ),
        (AES256, 10, "PutObject", ""),
    ],
)
def test_a_denied_write_names_what_its_policy_may_want(
    encryption: Encryption, size: int, operation: str, need: str
) -> None:
    client = answered_client(lambda *_: error_of(403, "AccessDenied"))
    with pytest.raises(AccessDeniedError) as raised:
        put(store_of(client, "bucket", encryption=encryption), random_bytes(size))
    expected = f"{operation}: AccessDenied. Check the policies (docs/iam){need}"
    assert str(raised.value) == expected


@pytest.mark.parametrize(
    ("status", "code", "line"),
    [
        (
            400,
            "KMS.DisabledException",
            ". Check ARTIFACTS_KMS_KEY_ID, or the bucket's default key",
        ),
        (400, "KMS.ThrottlingException", ""),
        (400, "InvalidTag", ". Check ARTIFACTS_S3_TAGS"),
        (400, "InvalidRegion", ". Check AWS_DEFAULT_REGION and ARTIFACTS_S3_ENDPOINT_URL"),
        (405, "MethodNotAllowed", LACKING),
        (403, "SecondLevelDomainForbidden", ". Set ARTIFACTS_S3_ADDRESSING=virtual"),
        (
            403,
            "AccessDenied",
            ". Check the policies (docs/iam); tags need s3:PutObjectTagging",
        ),
    ],
)
def test_the_line_names_the_setting_that_helps(status: int, code: str, line: str) -> None:
    client = answered_client(lambda *_: error_of(status, code))
    store = store_of(client, "bucket", encryption=AES256, tags=ObjectTags.parse("team=cfd"))
    with pytest.raises(TransferError) as raised:
        put(store, b"abc")
    assert str(raised.value) == f"PutObject: {code}{line}"


class TestHead:
    """Whose answer has no body, and so no code."""

    def store(self, answer: AWSResponse) -> tuple[S3ObjectStore, Requests]:
        def answer_to(operation: str, _request: AWSPreparedRequest) -> AWSResponse:
            return answer if operation == "GetObject" else answer_of(400)

        client = answered_client(answer_to)
        return store_of(client, "bucket"), Requests(client)

    @pytest.mark.parametrize(
        ("code", "error"),
        [("ExpiredToken", StoreUnavailableError), ("InvalidRequest", RefusedByStoreError)],
    )
    def test_one_that_is_refused_asks_for_its_code_by_a_get(
        self, code: str, error: type[Exception]
    ) -> None:
        store, requests = self.store(error_of(400, code))
        with pytest.raises(error, match=rf"^HeadObject: {code}($|\. Is .*SSE-C)"):
            store.version("key")
        assert requests.count("GetObject") == 1

    def test_one_whose_get_is_answered_stays_refused(self) -> None:
        store, _ = self.store(answer_of(200, "content", ETag='"e"', Content_Length="7"))
        with pytest.raises(RefusedByStoreError, match=r"^HeadObject: 400\. Is .*SSE-C"):
            store.version("key")

    def test_one_of_an_object_that_is_not_there_is_one_request(self) -> None:
        client = answered_client(lambda *_: answer_of(404))
        requests = Requests(client)
        assert store_of(client, "bucket").version("key") is None
        assert requests.names == ["HeadObject"]


def test_a_server_that_is_no_s3_is_named_by_its_setting() -> None:
    client = answered_client(lambda *_: answer_of(404, "<html>not found</html>"))
    with pytest.raises(RefusedByStoreError, match="Check ARTIFACTS_S3_ENDPOINT_URL"):
        put(store_of(client, "bucket"), b"abc")


def test_a_front_that_redirects_everything_is_named_by_its_setting(bucket: str) -> None:
    # Given a web server that redirects http to https
    client = answered_client(lambda *_: answer_of(301, Location="https://s3.invalid/"))
    # When / Then
    with pytest.raises(RefusedByStoreError, match="scheme and host of ARTIFACTS_S3_ENDPOINT_URL"):
        put(store_of(client, bucket), b"abc")
