"""What botocore's errors mean here."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own root of what a connection can suffer
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
)
from urllib3.exceptions import HTTPError

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    ArchivedError,
    BucketMissingError,
    ChecksumMismatchError,
    MisconfiguredError,
    ObjectReplacedError,
    RefusedByStoreError,
    StoreConflictError,
    StoreUnavailableError,
    TransferError,
    UnsupportedByStoreError,
)
from artifact_pipeline.worker.s3.advice import advice
from artifact_pipeline.worker.s3.misconfiguration import CONFIGURATION, explain

# What each code means here: the codes of AWS, and codes that Swift, MinIO, Ceph, Garage, SeaweedFS,
# R2, Google, Backblaze and Wasabi add. botocore puts the status in the place of a missing code.
# Codes that are not here go by their status.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_CODES_OF_ERROR: dict[type[TransferError], str] = {
    UnsupportedByStoreError: """
        NotImplemented NotSupported UnsupportedOperation UnsupportedArgument UnsupportedHeader
        InvalidEncryptionAlgorithmError InvalidEncryptionAlgorithm InvalidEncryptionMethod
        KMSNotConfigured InvalidStorageClass AccessControlListNotSupported
    """,
    AccessDeniedError: """
        AccessDenied AccessForbidden AllAccessDisabled AccountProblem AccountNotActivated
        AccountSuspended UserSuspended NotSignedUp InvalidPayer InvalidAccessKeyId AccessKeyDisabled
        SignatureDoesNotMatch InvalidSignature InvalidSecurity InvalidToken InvalidTokenId
        MissingAuthenticationToken AuthenticationRequired Unauthorized UnauthorizedAccess
        ObjectLockedByBucketPolicy KMS.AccessDeniedException KMSAccessDeniedException 401 403
    """,
    BucketMissingError: "NoSuchBucket",
    ChecksumMismatchError: """
        BadDigest InvalidDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch CrcMismatch
    """,
    StoreUnavailableError: """
        InternalError InternalFailure InternalServerError ServiceUnavailable
        ServiceUnavailableException Unavailable TemporarilyUnavailable BackendError GatewayTimeout
        XMinioReadQuorum XMinioWriteQuorum XMinioServerNotInitialized XMinioBackendDown
        SlowDown SlowDownRead SlowDownWrite ServerBusy Busy Throttling ThrottlingException
        ThrottledException RequestThrottled RequestThrottledException TooManyRequests
        TooManyRequestsException TooMuchConcurrency RequestLimitExceeded RequestRateLimitExceeded
        RateLimitExceeded rateLimitExceeded BandwidthLimitExceeded PriorRequestNotComplete
        LimitExceededException ProvisionedThroughputExceededException EC2ThrottledException
        TransactionInProgressException ErrTooManyRequest ErrRequestBytesExceed
        KMS.ThrottlingException KMS.InternalException KMS.KMSInternalException
        KMS.DependencyTimeoutException KMS.KeyUnavailableException
        IncompleteBody RequestTimeout RequestTimeoutException ClientDisconnect ClientDisconnected
        ConnectionClosedByRequester DisconnectError TemporaryRedirect
        ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired ExpiredRequest
        RequestTimeTooSkewed AuthenticationLockout IDPCommunicationError
        XMinioStorageFull XMinioAdminBucketQuotaExceeded QuotaExceeded
    """,
    ObjectReplacedError: "PreconditionFailed NoSuchKey NoSuchVersion 412",
    ArchivedError: "InvalidObjectState",
    # Another request was under way, or the multipart upload or a part of it went away. The next
    # attempt sends what is missing then, or all of it.
    StoreConflictError: """
        ConditionalRequestConflict OperationAborted ConcurrentModification NoSuchUpload InvalidPart
        BadUpload 409
    """,
}
_ERROR_OF_CODE = {code: kind for kind, codes in _CODES_OF_ERROR.items() for code in codes.split()}
# Older MinIO has no separate code for these.
_UNSUPPORTED = re.compile(r"KMS is not configured|encryption method .*not supported", re.IGNORECASE)
# While a body is read, botocore lets some errors of urllib3 through, and has another one for a
# body that ends early.
_BROKEN_OFF = (IncompleteReadError, HTTPError)
_PASSING = (
    ConnectionError,
    HTTPClientError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    *_BROKEN_OFF,
)
_NO_CREDENTIALS = (
    "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,"
    " or give this machine a role"
)
_REDIRECTED = "S3 redirects every request: check the scheme and host of ARTIFACTS_S3_ENDPOINT_URL"
_NOT_FOUND, _NOT_ALLOWED, _SERVER_ERROR, _NOT_IMPLEMENTED = "404", 405, 500, 501
# Request Timeout, Too Early, Too Many Requests, and a client that closed the connection.
_PASSING_STATUSES = {408, 425, 429, 499}
_READS = {"HeadObject", "GetObject"}


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate botocore's errors to the domain's, with the operation and S3's code as message."""
    try:
        yield
    except ClientError as error:
        raise _error_of(error) from error
    except NoCredentialsError as error:
        raise AccessDeniedError(_NO_CREDENTIALS) from error
    except CONFIGURATION as error:
        raise MisconfiguredError(explain(error)) from error
    except _PASSING as error:
        raise StoreUnavailableError(f"S3 does not answer: {type(error).__name__}") from error
    except BotoCoreError as error:
        raise RefusedByStoreError(type(error).__name__) from error
    except RecursionError as error:
        # botocore asks where the bucket is, and follows that question's redirect by asking again.
        raise RefusedByStoreError(_REDIRECTED) from error


@contextmanager
def missing_means_replaced() -> Iterator[None]:
    """Raise ObjectReplacedError if the object of the request is not there any more."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in {"404", "NoSuchKey"}:
            raise ObjectReplacedError from error
        raise


def code_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def is_unsupported(error: ClientError) -> bool:
    """Return whether the store does not know the request at all."""
    return isinstance(_error_of(error), UnsupportedByStoreError)


def is_passing(error: ClientError) -> bool:
    """Return whether the request may succeed if it is sent again."""
    return isinstance(_error_of(error), StoreUnavailableError)


def _error_of(error: ClientError) -> TransferError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = code_of(error) or str(status)
    kind = _kind(error, code, status)
    # S3's message may quote a key or a credential, so only its code is kept.
    return kind(f"{error.operation_name}: {code}{advice(error, code, kind)}")


def _kind(error: ClientError, code: str, status: int) -> type[TransferError]:
    operation = error.operation_name
    if status == _NOT_ALLOWED and operation not in _READS:
        return UnsupportedByStoreError  # of a read it may be a delete marker
    if code == _NOT_FOUND and operation == "HeadObject":
        return ObjectReplacedError  # without a code; any other answer like this is not S3's
    if _UNSUPPORTED.search(error.response.get("Error", {}).get("Message") or ""):
        return UnsupportedByStoreError
    return _ERROR_OF_CODE.get(code) or _kind_of_status(status)


def _kind_of_status(status: int) -> type[TransferError]:
    if status == _NOT_IMPLEMENTED:
        return UnsupportedByStoreError
    is_passing = status >= _SERVER_ERROR or status in _PASSING_STATUSES
    return StoreUnavailableError if is_passing else RefusedByStoreError
