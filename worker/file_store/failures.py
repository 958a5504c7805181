"""The operating system's errors as the domain's, one line each and without the path."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    FileSystemLimitError,
    PipelineError,
    RefusedByStoreError,
    StoreUnavailableError,
    UnexpectedError,
)
from artifact_pipeline.worker.workspace.failures import AWAY, LEADS_NOWHERE
from artifact_pipeline.worker.workspace.partial_file import CANNOT_HOLD

_MEANINGS: Sequence[tuple[set[int], type[PipelineError], str]] = (
    (
        {errno.ENOSPC, errno.EDQUOT},
        StoreUnavailableError,
        "no space left in ARTIFACTS_STORE. Free some",
    ),
    ({errno.EROFS}, StoreUnavailableError, "ARTIFACTS_STORE is read-only. Mount it writable"),
    (
        {errno.EACCES, errno.EPERM},
        AccessDeniedError,
        "{}. Change owner or mode in ARTIFACTS_STORE",
    ),
    ({errno.EIO, errno.ENODEV} | AWAY, StoreUnavailableError, "{}: ARTIFACTS_STORE is away"),
    (
        {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS},
        StoreUnavailableError,
        "{}: ARTIFACTS_STORE has no file locks. Mount it with locks",
    ),
    (
        {errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.ENXIO},
        RefusedByStoreError,
        "{}: something else than a file is in its place in ARTIFACTS_STORE. Move it",
    ),
    (CANNOT_HOLD, FileSystemLimitError, "{}: the file system of ARTIFACTS_STORE cannot hold it"),
)
"""What the numbers of the system mean; `{}` is what the system says."""

ABSENT = LEADS_NOWHERE | {errno.ENXIO}
"""What a look at a key says where the key has no file, or a link or a socket."""


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Translate the errors of what is done with a key.

    Raises:
        StoreUnavailableError: the store is away, full, or read-only.
        AccessDeniedError: this user may not do it.
        RefusedByStoreError: something else than a file is in the key's place.
        FileSystemLimitError: the file system has no such large files, or no such names.
        UnexpectedError: anything else that the system answers.
    """
    try:
        yield
    except OSError as error:
        # From None: the cause would bring its path into the traceback, and so into the logs.
        raise _domain_error(key, error) from None


def _domain_error(key: str, error: OSError) -> PipelineError:
    said = error.strerror or type(error).__name__
    for numbers, make, text in _MEANINGS:
        if error.errno in numbers:
            return make(f"{key}: {text.format(said)}")
    return UnexpectedError(f"{key}: {said}, in ARTIFACTS_STORE")
