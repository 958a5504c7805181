"""What an audit finds, and what was done about it."""

from dataclasses import dataclass
from enum import StrEnum

from artifact_pipeline.domain.catalog.verdicts import VerifiedArtifact
from artifact_pipeline.domain.model.transfers import Transfer


class RepairOutcome(StrEnum):
    """What a repair has done about a finding."""

    REQUESTED = "upload requested"
    CONFIRMING = "confirmation requested"
    """A worker reads the object and records it: the store has no SHA-256 of it."""
    RECORDED = "recorded"
    RESENT = "message sent again"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about a finding. Attributes: `why` it was left."""

    outcome: RepairOutcome
    why: str | None = None

    def __str__(self) -> str:
        return self.outcome if self.why is None else f"{self.outcome}: {self.why}"


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """A fault.

    Attributes:
        job_id: None for an object that is under no job's id.
        repair: None if no repair was asked for.
        transfer: that no worker continues, if that is the fault.
    """

    job_id: int | None
    verified: VerifiedArtifact
    repair: Repair | None = None
    transfer: Transfer | None = None
