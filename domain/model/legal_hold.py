"""Legal holds: a job's artifacts must stay as they are."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """A legal hold on all artifacts of a job."""

    job_id: int
    held_at: datetime
    held_by: str
    reason: str
