"""What use cases need of legal holds."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.errors import LegalHoldError
from artifact_pipeline.domain.model.legal_hold import LegalHold


@runtime_checkable
class ILegalHolds(Protocol):
    """Legal holds by job. Each call is one transaction.

    Setting one waits for a deletion of the job that is just being noted, and the other way round.
    """

    def set(self, job_id: int, held_by: str, reason: str) -> bool:
        """Put the job on hold. Return whether it was not before; an earlier hold stays."""

    def release(self, job_id: int) -> bool:
        """End the job's hold. Return whether there was one."""

    def find(self, job_id: int) -> LegalHold | None:
        """Return the job's hold, if it has one."""

    def all(self) -> Sequence[LegalHold]:
        """Return every hold, by the ids of their jobs."""


def refuse_held(holds: ILegalHolds, job_id: int) -> None:
    """Raise LegalHoldError if the job is on hold."""
    hold = holds.find(job_id)
    if hold is not None:
        raise held_error(hold)


def held_error(hold: LegalHold) -> LegalHoldError:
    """Return the error of a command that a hold forbids."""
    return LegalHoldError(
        f"job {hold.job_id} is on legal hold since {hold.held_at:%Y-%m-%dT%H:%M:%SZ} by"
        f" {hold.held_by}: {hold.reason}. `artifacts jobs hold release {hold.job_id} --reason TEXT`"
        " ends it"
    )
