"""The use case that deletes objects whose job does not exist."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.durations import age
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.audit import IAuditedRecords
from artifact_pipeline.domain.ports.legal_holds import ILegalHolds
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.ports.object_versions import IObjectVersions
from artifact_pipeline.domain.ports.tombstones import ITombstones

_REQUEST = 1000
"""Objects that one request deletes."""


class OrphanOutcome(StrEnum):
    """What becomes of an orphan."""

    DOOMED = "would be deleted"
    DELETED = "deleted"
    GONE = "gone"
    """The store did not have it any more."""
    KEPT = "kept"
    """It is no orphan by now, or must stay."""
    REFUSED = "refused"
    """The store refused the look or the deletion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An object that an audit has called an orphan.

    Attributes:
        job_id: of the directory that it is in.
        size: as the audit saw it.
        outcome: what becomes of it; None before it was looked at again.
        why: it is kept, or the store's code.
    """

    address: ObjectAddress
    job_id: int
    size: int
    outcome: OrphanOutcome | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOrphans:
    """Deletes what an audit has called an orphan, a thousand objects at a time.

    Each is looked at right before: first in the store, and then in SQL, whether its job exists, has
    an active transfer or is on legal hold.

    Attributes:
        now: the database's clock.
        older_than: the grace period: an object that was put there later is kept.
    """

    records: IAuditedRecords
    reader: IObjectReader
    versions: IObjectVersions
    holds: ILegalHolds
    tombstones: ITombstones
    now: Callable[[], datetime]
    older_than: timedelta

    def plan(self, orphans: Iterable[Orphan]) -> Iterator[Sequence[Orphan]]:
        """Yield what would become of them, by the thousand. It costs a HEAD for each.

        Raises:
            StoreUnavailableError, SqlUnavailableError: several looks in a row failed.
        """
        rest = iter(orphans)
        while page := list(islice(rest, _REQUEST)):
            yield self._judged(page)

    def __call__(
        self,
        orphans: Iterable[Orphan],
        note: Callable[[Sequence[int]], object] = lambda _job_ids: None,
    ) -> Iterator[Sequence[Orphan]]:
        """Delete them, and yield what became of them. It costs a HEAD for each, too.

        Args:
            orphans: as a report has them.
            note: is called with the ids of the jobs before each request that deletes.

        Raises:
            StoreUnavailableError, SqlUnavailableError: the store or SQL is away; begin again later.
        """
        for judged in self.plan(orphans):
            doomed = [each for each in judged if each.outcome is OrphanOutcome.DOOMED]
            if doomed:
                note(sorted({each.job_id for each in doomed}))
            refused = self._delete(doomed)
            yield [
                _ended(each, refused) if each.outcome is OrphanOutcome.DOOMED else each
                for each in judged
            ]

    def _delete(self, doomed: Sequence[Orphan]) -> dict[ObjectAddress, str]:
        if not doomed:
            return {}
        versions = [ObjectVersion(address=each.address, size=each.size) for each in doomed]
        answer = self.versions.delete(versions)
        refused = {version.address: code for version, code in answer.items()}
        self._forget([each for each in doomed if each.address not in refused])
        return refused

    def _forget(self, deleted: Sequence[Orphan]) -> None:
        """Remove rows that name what is gone: their job has left them behind."""
        keys = {each.address.key for each in deleted}
        rows = self.records.of_jobs({each.job_id for each in deleted})
        left_behind = [row for row in rows if row.object.key in keys]
        self.tombstones.clear([], left_behind, {}, is_complete=False)

    def _judged(self, page: Sequence[Orphan]) -> list[Orphan]:
        looks = list(until_unavailable(for_each(self._find, page)))
        # After the looks at the store, so that no time passes before the deletion.
        job_ids = {each.job_id for each in page}
        existing, active = self.records.created(job_ids), self.records.active(job_ids)
        held = {hold.job_id for hold in self.holds.all()}
        reasons = (
            (existing, "its job exists by now"),
            (held, "its job is on legal hold"),
            (active, "a transfer of its job is active"),
        )
        return [
            self._outcome(
                orphan, look, next((why for ids, why in reasons if orphan.job_id in ids), None)
            )
            for orphan, look in looks
        ]

    def _find(self, orphan: Orphan) -> BucketObject | None:
        return self.reader.find(orphan.address)

    def _outcome(
        self, orphan: Orphan, look: BucketObject | PipelineError | None, why: str | None
    ) -> Orphan:
        if isinstance(look, PipelineError):
            return replace(orphan, outcome=OrphanOutcome.REFUSED, why=str(look))
        if look is None:
            return replace(orphan, outcome=OrphanOutcome.GONE)
        why = why or self._too_new(orphan, look)
        outcome = OrphanOutcome.DOOMED if why is None else OrphanOutcome.KEPT
        return replace(orphan, outcome=outcome, why=why)

    def _too_new(self, orphan: Orphan, found: BucketObject) -> str | None:
        if found.size != orphan.size:
            return "it changed since the audit"
        old = self.now() - found.modified_at
        return None if old >= self.older_than else f"it is only {age(old)} old"


def _ended(orphan: Orphan, refused: dict[ObjectAddress, str]) -> Orphan:
    code = refused.get(orphan.address)
    outcome = OrphanOutcome.DELETED if code is None else OrphanOutcome.REFUSED
    return replace(orphan, outcome=outcome, why=code)
