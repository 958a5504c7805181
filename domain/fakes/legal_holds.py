"""Legal holds in memory."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from artifact_pipeline.domain.model.legal_hold import LegalHold


class InMemoryLegalHolds:
    """Legal holds in memory. Attributes: `rows` are the holds by job."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.rows: dict[int, LegalHold] = {}
        self._clock = clock

    def set(self, job_id: int, held_by: str, reason: str) -> bool:
        is_new = job_id not in self.rows
        hold = LegalHold(job_id=job_id, held_at=self._clock(), held_by=held_by, reason=reason)
        self.rows.setdefault(job_id, hold)
        return is_new

    def release(self, job_id: int) -> bool:
        return self.rows.pop(job_id, None) is not None

    def find(self, job_id: int) -> LegalHold | None:
        return self.rows.get(job_id)

    def all(self) -> Sequence[LegalHold]:
        return [self.rows[job_id] for job_id in sorted(self.rows)]
