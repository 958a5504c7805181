"""What S3 and the way to it can answer, and what that means here."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import CredentialRetrievalError, ReadTimeoutError

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    BucketMissingError,
    ChecksumMismatchError,
    RefusedByStoreError,
    StoreConflictError,
    StoreUnavailableError,
    TransferError,
)
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.errors import translated_errors
from tests.s3.steps import (
    KEY,
    PART,
    Progress,
    Requests,
    answer_of,
    answered_client,
    client_at,
    error_of,
    put,
    random_bytes,
    store_of,
)

DENIED = (AccessDeniedError, ReasonCode.ACCESS_DENIED)
UNAVAILABLE = (StoreUnavailableError, ReasonCode.STORE_UNAVAILABLE)
CONFLICT = (StoreConflictError, ReasonCode.STORE_CONFLICT)
REFUSED = (RefusedByStoreError, ReasonCode.REFUSED_BY_STORE)
MISMATCH = (ChecksumMismatchError, ReasonCode.CHECKSUM_MISMATCH)
MEANINGS: dict[tuple[int, str], tuple[type[TransferError], ReasonCode]] = {
    (403, "AccessDenied"): DENIED,
    (403, "InvalidAccessKeyId"): DENIED,
    (403, "SignatureDoesNotMatch"): DENIED,
    (404, "NoSuchBucket"): (BucketMissingError, ReasonCode.BUCKET_MISSING),
    (400, "BadDigest"): MISMATCH,
    (400, "InvalidDigest"): MISMATCH,
    (400, "XAmzContentSHA256Mismatch"): MISMATCH,
    (503, "SlowDown"): UNAVAILABLE,
    (503, "ServiceUnavailable"): UNAVAILABLE,
    (500, "InternalError"): UNAVAILABLE,
    (429, "TooMany"): UNAVAILABLE,
    (400, "RequestTimeout"): UNAVAILABLE,
    (400, "ExpiredToken"): UNAVAILABLE,
    (403, "RequestTimeTooSkewed"): UNAVAILABLE,
    (409, "OperationAborted"): CONFLICT,
    (404, "NoSuchUpload"): CONFLICT,
    (400, "InvalidPart"): CONFLICT,
    (400, "SomethingNew"): REFUSED,
    (403, "SomethingNew"): REFUSED,
}
POLICIES = ". Check the policies (docs/iam)"
"""With encryption asked for, as by `store_of`."""
SECRETS = (KEY, "secret", "AKIA", "bucket", "://", "127.0.0.1")
"""Of the answers, of the request and of the client."""


def error_for(answer: AWSResponse, size: int = 10) -> TransferError:
    client = answered_client(lambda _operation, _request: answer)
    with pytest.raises(TransferError) as caught:
        put(store_of(client, "secret-bucket"), random_bytes(size))
    assert not any(secret in str(caught.value) for secret in SECRETS)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "error", "reason"),
    [(*answered, *meaning) for answered, meaning in MEANINGS.items()],
)
def test_a_code_of_s3_has_its_meaning(
    status: int, code: str, error: type[TransferError], reason: ReasonCode
) -> None:
    for size, operation in ((10, "PutObject"), (PART, "CreateMultipartUpload")):
        raised = error_for(error_of(status, code), size)
        assert (type(raised), raised.reason) == (error, reason)
        advice = POLICIES if code == "AccessDenied" else ""
        assert str(raised) == f"{operation}: {code}{advice}"


@pytest.mark.parametrize(
    ("status", "error"), [(502, StoreUnavailableError), (403, AccessDeniedError)]
)
def test_an_answer_without_a_body_is_told_by_its_status(
    status: int, error: type[TransferError]
) -> None:
    assert type(error_for(answer_of(status))) is error


@pytest.mark.parametrize("page", ["<html>https://gateway.invalid is busy<br>", "busy", "<R>"])
@pytest.mark.parametrize("upload_id", [None, "resumed"])
def test_a_gateways_page_in_the_place_of_an_answer_is_unavailable(
    page: str, upload_id: str | None
) -> None:
    client = answered_client(lambda _operation, _request: answer_of(200, page))
    with pytest.raises(StoreUnavailableError):
        put(store_of(client, "bucket"), random_bytes(PART), Progress(upload_id))


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [
        (400, "BadDigest", 1),
        (403, "AccessDenied", 1),
        (503, "SlowDown", 3),
        (500, "InternalError", 3),
        (400, "RequestTimeout", 3),
    ],
)
def test_only_what_may_pass_by_itself_is_sent_again_at_once(
    status: int, code: str, tries: int
) -> None:
    # Given
    client = answered_client(lambda _operation, _request: error_of(status, code))
    requests = Requests(client)
    # When
    with pytest.raises(TransferError):
        put(store_of(client, "bucket"), b"abc")
    # Then
    assert requests.names == ["PutObject"] * tries


def test_an_abort_that_is_refused_says_so() -> None:
    store = store_of(answered_client(lambda *_: error_of(403, "AccessDenied")), "bucket")
    with pytest.raises(AccessDeniedError, match=r"^AbortMultipartUpload: AccessDenied$"):
        store.abort(KEY, "upload-1")


def test_a_listing_that_is_refused_says_so() -> None:
    store = store_of(answered_client(lambda *_: error_of(403, "AccessDenied")), "bucket")
    with pytest.raises(AccessDeniedError, match=r"^ListMultipartUploads: AccessDenied$"):
        list(store.open_uploads("jobs/"))


def test_a_hiccup_is_not_noticed() -> None:
    # Given
    answers = iter([error_of(503, "SlowDown"), answer_of(200, ETag='"e"')])
    client = answered_client(lambda _operation, _request: next(answers))
    # When / Then
    assert put(store_of(client, "bucket"), b"abc").version == '"e"'


def test_looking_at_an_object_is_translated_as_well() -> None:
    # Given
    answers = iter([answer_of(200, ETag='"e"'), answer_of(405)])
    store = store_of(answered_client(lambda _operation, _request: next(answers)), "bucket")
    stored = put(store, b"abc")
    # When / Then
    with pytest.raises(RefusedByStoreError, match=r"^HeadObject: 405$"):
        store.holds(stored)


def test_what_may_not_be_looked_at_is_not_known_to_be_there() -> None:
    # Given a role that may not list, to which S3 answers 403 for a missing object
    answers = chain([answer_of(200, ETag='"e"')], iter(lambda: answer_of(403), None))
    store = store_of(answered_client(lambda _operation, _request: next(answers)), "bucket")
    stored = put(store, b"abc")
    # When / Then
    assert not store.holds(stored)
    assert store.version(stored.key) is None


@pytest.fixture
def resetting_url() -> Iterator[str]:
    """Of a server that resets every connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_reset_all, args=(server,))
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        # Closing alone would not wake the thread.
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _reset_all(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            no_lingering = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
            connection.close()


def test_a_reset_connection_is_unavailable(resetting_url: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"^S3 does not answer: \w+$"):
        put(store_of(client_at(resetting_url), "bucket"), b"abc")


@pytest.mark.parametrize("size", [10, PART])
def test_a_refused_connection_is_unavailable(size: int) -> None:
    client = client_at(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        StoreUnavailableError, match=r"^S3 does not answer: EndpointConnectionError$"
    ):
        put(store_of(client, "bucket"), random_bytes(size))


def test_a_read_that_times_out_is_unavailable() -> None:
    # Given
    def time_out(_operation: str, request: AWSPreparedRequest) -> AWSResponse:
        raise ReadTimeoutError(endpoint_url=request.url)

    # When / Then
    with pytest.raises(StoreUnavailableError, match=r"^S3 does not answer: ReadTimeoutError$"):
        put(store_of(answered_client(time_out), "bucket"), b"abc")


def test_without_credentials_access_is_denied(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given an environment in which boto3's chain finds nothing
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session = boto3.Session(region_name="us-east-1")
    client = make_client(f"http://127.0.0.1:{free_port()}", threads=1, session=session)
    # When / Then
    with pytest.raises(AccessDeniedError, match=r"^no AWS credentials: set AWS_PROFILE, "):
        put(store_of(client, "bucket"), b"abc")


def test_credentials_that_cannot_be_fetched_now_are_tried_again_later() -> None:
    with (
        pytest.raises(
            StoreUnavailableError, match=r"^S3 does not answer: CredentialRetrievalError$"
        ),
        translated_errors(),
    ):
        raise CredentialRetrievalError(provider="custom-process", error_msg="secret")


def test_arguments_that_botocore_refuses_are_refused() -> None:
    client = answered_client(lambda _operation, _request: answer_of(200))
    with pytest.raises(RefusedByStoreError, match=r"^ParamValidationError$"):
        put(store_of(client, "no bucket/at all"), b"abc")
