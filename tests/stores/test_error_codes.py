"""What each known code of S3, and of other stores, means: who retries, and who counts it."""

from typing import NamedTuple

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    ArchivedError,
    BucketMissingError,
    ChecksumMismatchError,
    ObjectReplacedError,
    PermanentError,
    RefusedByStoreError,
    StoreConflictError,
    StoreUnavailableError,
    TransferError,
    UnsupportedByStoreError,
)
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.s3 import errors
from artifact_pipeline.worker.s3.errors import translated_errors
from artifact_pipeline.worker.s3.refused_requests import describe_refusals
from tests.domain.world import CONFIG, World
from tests.s3.steps import answer_instead, answer_of, error_of


class Row(NamedTuple):
    code: str
    status: int
    error: type[TransferError]
    is_counted: bool
    spends_attempt: bool


def rows(
    error: type[TransferError], codes: dict[int, str], *, is_counted: bool, spends_attempt: bool
) -> list[Row]:
    return [
        Row(code, status, error, is_counted, spends_attempt)
        for status, names in codes.items()
        for code in names.split()
    ]


UNSUPPORTED = {
    501: "NotImplemented KMSNotConfigured SomethingNew",
    405: "MethodNotAllowed SomethingNew",
    400: """
        NotImplemented NotSupported UnsupportedOperation UnsupportedArgument UnsupportedHeader
        InvalidEncryptionAlgorithmError InvalidEncryptionAlgorithm InvalidEncryptionMethod
        InvalidStorageClass AccessControlListNotSupported
    """,
}
DENIED = {
    401: "AuthenticationRequired Unauthorized 401",
    400: "InvalidToken",
    403: """
        AccessDenied AccessForbidden AllAccessDisabled AccountProblem AccountNotActivated
        AccountSuspended UserSuspended NotSignedUp InvalidPayer InvalidAccessKeyId AccessKeyDisabled
        SignatureDoesNotMatch InvalidSignature InvalidSecurity InvalidTokenId
        MissingAuthenticationToken UnauthorizedAccess ObjectLockedByBucketPolicy
        KMS.AccessDeniedException KMSAccessDeniedException 403
    """,
}
MISMATCHED = {
    400: "BadDigest InvalidDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch CrcMismatch"
}
UNAVAILABLE = {
    500: "InternalError InternalFailure InternalServerError BackendError SomethingNew 500",
    502: "502",
    503: """
        ServiceUnavailable ServiceUnavailableException Unavailable TemporarilyUnavailable SlowDown
        SlowDownRead SlowDownWrite ServerBusy Busy XMinioReadQuorum XMinioWriteQuorum
        XMinioServerNotInitialized XMinioBackendDown
    """,
    504: "GatewayTimeout 504",
    507: "XMinioStorageFull",
    509: "BandwidthLimitExceeded",
    429: """
        TooManyRequests TooMuchConcurrency ErrTooManyRequest ErrRequestBytesExceed RateLimitExceeded
        rateLimitExceeded SomethingNew
    """,
    400: """
        Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException
        TooManyRequestsException RequestLimitExceeded PriorRequestNotComplete LimitExceededException
        ProvisionedThroughputExceededException EC2ThrottledException TransactionInProgressException
        KMS.ThrottlingException KMS.InternalException KMS.KMSInternalException
        KMS.DependencyTimeoutException KMS.KeyUnavailableException
        IncompleteBody RequestTimeout RequestTimeoutException ClientDisconnect
        ConnectionClosedByRequester ExpiredToken ExpiredTokenException TokenRefreshRequired
        ExpiredRequest RequestExpired IDPCommunicationError XMinioAdminBucketQuotaExceeded
    """,
    403: "RequestTimeTooSkewed AuthenticationLockout RequestRateLimitExceeded QuotaExceeded",
    307: "TemporaryRedirect",
    408: "408 RequestTimeout",
    410: "DisconnectError",
    425: "425",
    499: "ClientDisconnected 499",
}
REPLACED = {404: "NoSuchKey NoSuchVersion", 412: "PreconditionFailed 412"}
CONFLICT = {
    409: "ConditionalRequestConflict OperationAborted ConcurrentModification 409",
    404: "NoSuchUpload",
    400: "InvalidPart BadUpload",
}
REFUSED = {
    301: "PermanentRedirect",
    400: """
        AuthorizationHeaderMalformed AuthorizationQueryParametersError BadRequest
        CloudKmsDisabledKey EntityTooLarge EntityTooSmall InvalidArgument InvalidBucketName
        InvalidPartOrder InvalidRegion InvalidRequest InvalidTag InvalidURI
        KMS.DisabledException KMS.InvalidKeyUsageException KMS.KMSInvalidStateException
        KMS.NotFoundException KeyTooLongError MalformedXML MetadataTooLarge MissingContentMD5
        MissingSecurityHeader SomethingNew TooManyParts 400
    """,
    403: "SomethingNew",
    404: "404",
    409: "InvalidBucketState XMinioObjectExistsAsDirectory ExistingObjectIsDirectory",
    411: "MissingContentLength",
    415: "UnsupportedMediaType",
    416: "InvalidRange",
}
TABLE = [
    *rows(UnsupportedByStoreError, UNSUPPORTED, is_counted=False, spends_attempt=True),
    *rows(AccessDeniedError, DENIED, is_counted=False, spends_attempt=True),
    Row("NoSuchBucket", 404, BucketMissingError, is_counted=False, spends_attempt=True),
    Row("InvalidObjectState", 403, ArchivedError, is_counted=False, spends_attempt=True),
    *rows(RefusedByStoreError, REFUSED, is_counted=False, spends_attempt=True),
    *rows(ChecksumMismatchError, MISMATCHED, is_counted=False, spends_attempt=True),
    *rows(ObjectReplacedError, REPLACED, is_counted=False, spends_attempt=True),
    *rows(StoreConflictError, CONFLICT, is_counted=False, spends_attempt=True),
    # The breaker leaves S3 alone, and the attempt is given back.
    *rows(StoreUnavailableError, UNAVAILABLE, is_counted=True, spends_attempt=False),
]


@pytest.fixture(scope="module")
def client() -> S3Client:
    """One for all rows, which tries each request once."""
    session = boto3.Session("tests", "tests-secret", region_name="us-east-1")
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    client = session.client("s3", config=once)
    describe_refusals(client)
    answer_instead(client, lambda _operation, _request: ANSWERS[-1])
    return client


ANSWERS = [answer_of(200)]
"""The last one is given."""


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.status}-{row.code}")
def test_a_code_has_its_class_its_count_and_its_attempt(client: S3Client, row: Row) -> None:
    # Given a store that answers with this code, or with the bare status
    is_bare = row.code == str(row.status)
    answer = answer_of(row.status) if is_bare else error_of(row.status, row.code)
    answer.headers["x-amz-bucket-region"] = "us-east-1"  # or botocore asks where the bucket is
    ANSWERS.append(answer)
    with pytest.raises(TransferError) as raised, translated_errors():
        client.put_object(Bucket="bucket", Key="key", Body=b"abc")
    assert type(raised.value) is row.error
    assert str(raised.value).startswith(f"PutObject: {row.code}")

    # When a transfer fails with it, and the breaker opens by one failure
    world = World()
    world.workspace.contents = {CONFIG: b"{}"}
    world.breaker = world.new_breaker(threshold=1)
    world.store.failures = [raised.value] * 10
    with pytest.raises(row.error):
        world.upload()

    # Then
    latest = world.latest()
    is_permanent = issubclass(row.error, PermanentError)
    assert latest.state is (TransferState.QUARANTINED if is_permanent else TransferState.WAITING)
    assert latest.reason_code is row.error.reason
    assert (world.failures.counts.total() == 1) is row.is_counted
    assert latest.attempts == int(row.spends_attempt)


def test_the_table_has_every_known_code() -> None:
    assert set(errors._ERROR_OF_CODE) <= {row.code for row in TABLE}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedByStoreError),
        (403, AccessDeniedError),
        (404, ObjectReplacedError),
        # Of a delete marker, perhaps.
        (405, RefusedByStoreError),
        (412, ObjectReplacedError),
        (501, UnsupportedByStoreError),
        (503, StoreUnavailableError),
    ],
)
def test_a_head_goes_by_its_status(
    client: S3Client, status: int, error: type[TransferError]
) -> None:
    ANSWERS.append(answer_of(status))
    with pytest.raises(TransferError) as raised, translated_errors():
        client.head_object(Bucket="bucket", Key="key")
    assert type(raised.value) is error
    advised = {400, 501}
    assert str(raised.value) == f"HeadObject: {status}" or status in advised
