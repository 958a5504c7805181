"""What transfers wait for while it is down, without spending their attempts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from artifact_pipeline.domain.errors import (
    SourceChangedError,
    SourceEmptyError,
    SourceInvalidError,
    SourceMissingError,
    SourceUnreadableError,
    StoreBreakerOpenError,
    StoreUnavailableError,
    TransferError,
    UnexpectedError,
    WorkspaceNotWritableError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker

logger = logging.getLogger(__name__)

WORKSPACE_FAILURES = 1
"""Failures at which a workspace's circuit opens.

A look at the marker is proof, and so is a write that finds no space, so one is enough.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A circuit breaker, the transfers that depend on it, and the errors that open it.

    Attributes:
        name: of the resource, for the log.
        breaker: shared by the attempts of this process.
        directions: transfers that need the resource.
        failures: errors that count as failures of the resource.
        refusal: what an attempt fails with while the breaker is open.
        probe: raises one of `failures` if the resource is down. Without it, the error is proof.
        suspects: errors that the resource may have caused; the probe tells.
    """

    name: str
    breaker: Breaker
    directions: frozenset[Direction]
    failures: type[TransferError]
    refusal: Callable[[], TransferError]
    probe: Callable[[], None] | None = None
    suspects: tuple[type[TransferError], ...] = ()

    def found(self, error: TransferError) -> TransferError | None:
        """Return the failure of the resource that the error is, or comes from; None if neither."""
        if not isinstance(error, (self.failures, *self.suspects)):
            return None
        # A failure of the resource is proof, even if the resource has recovered since.
        if self.probe is None or isinstance(error, self.failures):
            return error
        try:
            self.probe()
        except self.failures as down:
            return down
        except TransferError as unknown:
            # The attempt fails with its own error, as when the database is unavailable.
            logger.warning("%s: not known whether it is down: %s", self.name, unknown.reason)
        return None


def store_circuit(breaker: Breaker, name: str) -> Circuit:
    """Return the circuit of all transfers. Args: the name that operators know the store by."""
    return Circuit(
        name=name,
        breaker=breaker,
        directions=frozenset(Direction),
        failures=StoreUnavailableError,
        refusal=StoreBreakerOpenError,
    )


def workspace_circuit(breaker: Breaker, probe: Callable[[], None]) -> Circuit:
    """Return the circuit of what reads or writes files.

    A share that goes away in the middle shows as a file that is missing, changed or unreadable.
    Without the probe, such a transfer would be quarantined for a fault that is not its own.
    """
    return Circuit(
        name="workspace",
        breaker=breaker,
        directions=frozenset({Direction.UPLOAD, Direction.DOWNLOAD}),
        failures=WorkspaceUnavailableError,
        refusal=lambda: WorkspaceUnavailableError(
            "the workspace was not available a moment ago, so transfers pause for a while"
        ),
        probe=probe,
        suspects=(
            *(SourceMissingError, SourceEmptyError, SourceInvalidError),
            *(SourceUnreadableError, SourceChangedError, UnexpectedError),
        ),
    )


def writes_circuit(breaker: Breaker) -> Circuit:
    """Return the circuit of downloads alone: an upload needs no space."""
    return Circuit(
        name="workspace (writes)",
        breaker=breaker,
        directions=frozenset({Direction.DOWNLOAD}),
        failures=WorkspaceNotWritableError,
        refusal=lambda: WorkspaceNotWritableError(
            "the workspace refused writes a moment ago, so transfers pause for a while"
        ),
    )
