import pickle
from collections.abc import Iterator

import pytest

from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    JobStatusError,
    PermanentError,
    PipelineError,
    RunOfAnotherJobError,
    TransferError,
    TransientError,
    UnexpectedError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.reasons import ReasonCode


def descendants(error: type[PipelineError]) -> Iterator[type[PipelineError]]:
    for child in error.__subclasses__():
        yield child
        yield from descendants(child)


# Adapters and tests may have made subclasses of their own.
ERRORS = sorted(
    {
        error
        for error in descendants(PipelineError)
        if error.__module__.startswith("artifact_pipeline.domain.errors")
    },
    key=lambda error: error.__name__,
)
LEAVES = [
    error
    for error in ERRORS
    if issubclass(error, TransferError)
    and error not in (TransferError, TransientError, PermanentError)
]


def test_each_reason_has_one_error_and_each_error_one_reason() -> None:
    assert sorted(error.reason for error in LEAVES) == sorted(ReasonCode)


@pytest.mark.parametrize("error", LEAVES)
def test_each_failure_is_either_transient_or_permanent(error: type[TransferError]) -> None:
    assert issubclass(error, TransientError) is not issubclass(error, PermanentError)


def test_a_failure_without_a_reason_of_its_own_is_unexpected() -> None:
    assert TransferError.reason is UnexpectedError.reason is ReasonCode.UNEXPECTED


@pytest.mark.parametrize("error", ERRORS)
def test_the_docstring_is_the_default_message(error: type[PipelineError]) -> None:
    assert str(error()) == error.__doc__
    assert str(error("of its own")) == "of its own"


@pytest.mark.parametrize("message", [None, "job 12 is gone"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_goes_from_process_to_process(
    error: type[PipelineError], message: str | None
) -> None:
    sent = error(message)
    received = pickle.loads(pickle.dumps(sent))  # noqa: S301 - made in this line
    assert (type(received), str(received)) == (error, str(sent))


def test_an_error_without_message_or_docstring_has_an_empty_message() -> None:
    class SilentError(PipelineError):
        pass

    assert str(SilentError()) == ""


@pytest.mark.parametrize(
    "error",
    [InvalidRequestError, JobStatusError, UnknownJobError, UnknownRunError, RunOfAnotherJobError],
)
def test_bad_input_is_a_value_error_too(error: type[PipelineError]) -> None:
    assert issubclass(error, ValueError)
