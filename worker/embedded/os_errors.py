"""Errors of the file system, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from artifact_pipeline.domain.errors import ConfigurationError

_ADVICE = "Name a directory that can be written to, and has space left"


@contextmanager
def explained(advice: str = _ADVICE) -> Iterator[None]:
    """Name the file that cannot be written, why, and what to do.

    Args:
        advice: what to do.

    Raises:
        ConfigurationError: instead of an OSError that has a file name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise ConfigurationError(
            f"{error.filename}: cannot be written to ({error.strerror}). {advice}"
        ) from error
