"""Do something for many, so that what fails with one does not stop the others."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from artifact_pipeline.domain.errors import (
    LeaseLostError,
    PipelineError,
    SqlUnavailableError,
    StoreUnavailableError,
    UnexpectedError,
)

Item = TypeVar("Item")
Result = TypeVar("Result")

_AWAY = (StoreUnavailableError, SqlUnavailableError)
_FAILURES = 5
"""In a row, after which the store or SQL counts as away: every further one would wait as long."""


def for_each(
    do: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result | PipelineError]]:
    """Yield each item with its result, or with the error of it.

    An error of the operating system counts as one of the pipeline.
    """
    for item in items:
        yield item, outcome_of(partial(do, item))


def outcome_of(do: Callable[[], Result]) -> Result | PipelineError:
    """Return the result, or the error.

    Raises:
        LeaseLostError: the caller itself must stop.
    """
    try:
        return do()
    except LeaseLostError:
        raise
    except PipelineError as error:
        return error
    except OSError as error:
        return of_system(error)


def up_to_failure(items: Iterable[Item]) -> tuple[list[Item], PipelineError | None]:
    """Return the items before the first that cannot be made, and why it cannot."""
    made: list[Item] = []
    try:
        for item in items:
            made.append(item)  # noqa: PERF402 - those before an error count
    except PipelineError as error:
        return made, error
    except OSError as error:
        return made, of_system(error)
    return made, None


def until_unavailable(
    outcomes: Iterable[tuple[Item, Result | PipelineError]],
) -> Iterator[tuple[Item, Result | PipelineError]]:
    """Yield the outcomes; raise the last error once the store or SQL is away for all of them."""
    failures = 0
    for item, outcome in outcomes:
        yield item, outcome
        failures = failures + 1 if isinstance(outcome, _AWAY) else 0
        if failures == _FAILURES and isinstance(outcome, PipelineError):
            raise outcome


def of_system(error: OSError) -> UnexpectedError:
    """Return an error of the operating system as one of the pipeline."""
    said = error.strerror or type(error).__name__
    name = "" if error.filename is None else f"{error.filename}: "
    return UnexpectedError(f"{name}{said}")
