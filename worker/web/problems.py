"""Errors as RFC 9457 has them: one clear line, a status and a stable code."""

import logging
import re
from collections.abc import Sequence
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from artifact_pipeline.domain.errors import (
    ArchivedError,
    ArtifactDeletedError,
    BrokerUnavailableError,
    InvalidRequestError,
    LegalHoldError,
    NotFoundError,
    PermanentError,
    PipelineError,
    TransferError,
    TransientError,
    UnsafeArchiveError,
)
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.web.api.models.base import Problem
from artifact_pipeline.worker.web.errors import (
    InvalidInputError,
    UnknownPathError,
    WebError,
    WrongMethodError,
)

logger = logging.getLogger(__name__)

_STATUSES: Sequence[tuple[type[PipelineError], HTTPStatus]] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (InvalidRequestError, HTTPStatus.BAD_REQUEST),
    (LegalHoldError, HTTPStatus.CONFLICT),
    (ArtifactDeletedError, HTTPStatus.CONFLICT),
    (ArchivedError, HTTPStatus.CONFLICT),
    (UnsafeArchiveError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TransientError, HTTPStatus.SERVICE_UNAVAILABLE),
    (BrokerUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (PermanentError, HTTPStatus.BAD_GATEWAY),
)
"""The status of each error, the first that fits."""
_RETRY_SECONDS = "5"
_UNEXPECTED = "an unexpected error: the server's log has its frames"


def problem_of(error: Exception) -> Problem:
    """Return what a client is told of an error; it never quotes a secret or a signed URL."""
    known = _known(error)
    if known is None:
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, _UNEXPECTED, "unexpected")
    # The texts of this package name no path or URL that is not its own.
    detail = " ".join(str(known).split()) if isinstance(known, WebError) else redact(str(known))
    return _problem(_status_of(known), detail, _code_of(known))


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the response of a problem."""
    later = (
        {"Retry-After": _RETRY_SECONDS} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    )
    return JSONResponse(
        problem.model_dump(mode="json"),
        status_code=problem.status,
        headers={**later, **(headers or {})},
        media_type="application/problem+json",
    )


def invalid_input(error: ValidationError) -> InvalidInputError:
    """Return the error of a wrong value. It names the fields, and quotes no value."""
    lines = [
        f"{'.'.join(map(str, each['loc'])) or 'the request'}: {each['msg']}"
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return InvalidInputError("; ".join(lines))


def _known(error: Exception) -> PipelineError | None:
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, ValidationError):
        return invalid_input(error)
    if isinstance(error, HTTPException):
        return _of_starlette(error)
    return None


def _of_starlette(error: HTTPException) -> WebError:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return UnknownPathError()
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return WrongMethodError()
    return WebError(error.detail)


def _status_of(error: PipelineError) -> HTTPStatus:
    if isinstance(error, WebError):
        return HTTPStatus(error.status)
    found = (status for of, status in _STATUSES if isinstance(error, of))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def _code_of(error: PipelineError) -> str:
    if isinstance(error, TransferError):
        return error.reason
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _problem(status: HTTPStatus, detail: str, code: str) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail, code=code)
