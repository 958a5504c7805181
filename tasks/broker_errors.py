"""What a broker says when it refuses something."""

from amqp.exceptions import AccessRefused, NotAllowed, PreconditionFailed
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    ResponseError,
)

from artifact_pipeline.domain.redaction import redact

# Of RabbitMQ: a wrong password, a virtual host that is missing or of others, a queue of another
# type.
_DENIED = (
    *(AuthenticationError, NoPermissionError),
    *(AccessRefused, NotAllowed, PreconditionFailed),
)
# The client has no classes for these.
_REFUSED = (
    "DB index is out of range",
    "value is not an integer or out of range",  # a database's number of twenty digits
    "has no permissions to run",
    # PostgreSQL: psycopg gives an error of a login no code.
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    'FATAL:  role "',
    'FATAL:  database "',
)
# PostgreSQL: a right, a schema or a function is missing.
_REFUSED_STATES = frozenset({"42501", "3F000", "42883"})
# Amazon SQS.
_REFUSED_CODES = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "InvalidClientTokenId"),
        *("SignatureDoesNotMatch", "UnrecognizedClientException"),
        *("InvalidSecurity", "ExpiredToken", "ExpiredTokenException", "OptInRequired"),
        *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"),
        *("MissingRegionError", "WrongEndpointError", "AccessDeniedQueueException"),
        *("401", "403"),  # from a proxy or an emulator, without a code of AWS
    }
)
_ANSWERS = (ResponseError, BusyLoadingError)
_OF_A_PIPELINE = "of pipeline caused error: "


def is_refused(error: BaseException) -> bool:
    """Return whether the broker answers, and will answer the same until a setting changes."""
    causes = (error, error.__cause__)
    is_denied = any(isinstance(cause, _DENIED) for cause in causes)
    if any(_aws_code(cause) in _REFUSED_CODES for cause in causes):
        return True
    states = {getattr(cause, "sqlstate", None) for cause in causes}
    said = any(text in str(error) for text in _REFUSED)
    return is_denied or said or not states.isdisjoint(_REFUSED_STATES)


def _aws_code(error: BaseException | None) -> str:
    """Return the code of an error of boto3, or its name if it came before any request."""
    response = getattr(error, "response", None)
    of_answer = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return of_answer or type(error).__name__


def error_text(error: BaseException) -> str:
    """Return the broker's own words, in one line.

    A client of Redis puts the command before them, with a part of the message that it carries. One
    of PostgreSQL adds the statement. One of AWS quotes a page that is no answer of AWS.
    """
    said = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    said = said.partition(": <")[0]
    return redact(said.rpartition(_OF_A_PIPELINE)[2]).rstrip(".")


def answer_of(error: BaseException | None) -> BaseException | None:
    """Return the error with which the broker answered, or None if it did not answer."""
    causes = (error, error.__cause__ if error else None)
    return next(filter(_is_answer, causes), None)


def _is_answer(error: BaseException | None) -> bool:
    has_code = getattr(error, "sqlstate", None) or getattr(error, "response", None)
    return isinstance(error, _ANSWERS) or bool(has_code)
