"""What botocore's errors mean here."""

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

from domain.errors import (
    AccessDeniedError,
    ArchivedError,
    BucketMissingError,
    ChecksumMismatchError,
    MisconfiguredError,
    ObjectReplacedError,
    RefusedByS3Error,
    S3ConflictError,
    S3UnavailableError,
    TransferError,
)
from worker.s3.misconfiguration import CONFIGURATION, explain

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_ERROR_OF_CODE: dict[str, type[TransferError]] = {
    "AccessDenied": AccessDeniedError,
    "AllAccessDisabled": AccessDeniedError,
    "AccountProblem": AccessDeniedError,
    "InvalidAccessKeyId": AccessDeniedError,
    "SignatureDoesNotMatch": AccessDeniedError,
    "403": AccessDeniedError,
    "NoSuchBucket": BucketMissingError,
    "BadDigest": ChecksumMismatchError,
    "InvalidDigest": ChecksumMismatchError,
    "XAmzContentSHA256Mismatch": ChecksumMismatchError,
    # Refused now, and well again once the credentials are renewed or the clock is set.
    "ExpiredToken": S3UnavailableError,
    "RequestTimeTooSkewed": S3UnavailableError,
    "RequestTimeout": S3UnavailableError,
    "SlowDown": S3UnavailableError,
    "PreconditionFailed": ObjectReplacedError,
    "412": ObjectReplacedError,  # the answer to a HEAD has no room for a code
    "InvalidObjectState": ArchivedError,
    # Another conditional write was under way: https://docs.aws.amazon.com/AmazonS3/latest/
    # userguide/conditional-writes.html
    "ConditionalRequestConflict": S3ConflictError,
    "OperationAborted": S3ConflictError,
    # The multipart upload or a part of it went away meanwhile; the next attempt sends what is
    # missing then, or starts anew.
    "NoSuchUpload": S3ConflictError,
    "InvalidPart": S3ConflictError,
}
_WHAT_TO_DO = {
    "InvalidObjectState": ", for it is in an archive tier: restore it first",
    # A HEAD has no body, so this is all that S3 says.
    "400": ". An object encrypted with a client's key (SSE-C) or a key that S3 does not allow?",
}
# While a body is read, botocore lets some errors of urllib3 through, and has one of its own for a
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
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


@contextmanager
def translated_errors() -> Iterator[None]:
    """Botocore's errors as the domain's, with the operation and S3's code for a message."""
    try:
        yield
    except ClientError as error:
        raise _error_of(error) from error
    except NoCredentialsError as error:
        raise AccessDeniedError(_NO_CREDENTIALS) from error
    except CONFIGURATION as error:
        raise MisconfiguredError(explain(error)) from error
    except _PASSING as error:
        raise S3UnavailableError(f"S3 does not answer: {type(error).__name__}") from error
    except BotoCoreError as error:
        raise RefusedByS3Error(type(error).__name__) from error


def code_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _error_of(error: ClientError) -> TransferError:
    code = code_of(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    unavailable = status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS
    fallback = S3UnavailableError if unavailable else RefusedByS3Error
    # S3's message may quote a key or a credential, so only its code is kept.
    said = f"{error.operation_name}: {code or status}"
    return _ERROR_OF_CODE.get(code, fallback)(said + _WHAT_TO_DO.get(code, ""))
