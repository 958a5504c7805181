"""The operating system's errors as the domain's."""

import errno
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from artifact_pipeline.domain.errors import (
    SourceChangedError,
    SourceMissingError,
    SourceUnreadableError,
    TransferError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact

LEADS_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""As a link does whose target is not there, or goes round in a circle, or cannot be there."""

AWAY = {
    *(errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT),
    *(errno.EHOSTDOWN, errno.EHOSTUNREACH),
}
"""As a network share that is away, or whose server was replaced."""

_GONE = LEADS_NOWHERE | {errno.ENXIO}
_DENIED = {errno.EACCES, errno.EPERM}


def lookup_errors(artifact: Artifact) -> AbstractContextManager[None]:
    """Translate errors of a lookup: what does not exist is missing."""
    return _translated(_missing, artifact)


def reading(artifact: Artifact) -> AbstractContextManager[None]:
    """Translate errors of a read: a file that is gone, or is now a link or socket, has changed."""
    return _translated(changed, artifact)


def _missing(artifact: Artifact) -> SourceMissingError:
    return SourceMissingError(f"{artifact}: not in the workspace")


def changed(artifact: Artifact) -> SourceChangedError:
    return SourceChangedError(f"{artifact}: changed while it was read")


@contextmanager
def _translated(gone: Callable[[Artifact], TransferError], artifact: Artifact) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # From None: the cause would bring its path into the traceback, and so into the logs.
        if error.errno in _GONE:
            raise gone(artifact) from None
        if error.errno in _DENIED:
            raise SourceUnreadableError(f"{artifact}: the worker may not read it") from None
        if error.errno in AWAY:
            raise WorkspaceUnavailableError(f"{artifact}: {error.strerror}") from None
        raise
