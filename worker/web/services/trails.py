"""The audit trail: what operators did, and what was done with a job."""

from collections.abc import Iterable

from artifact_pipeline.domain.catalog.history import HistoryEntry, entry_of
from artifact_pipeline.domain.catalog.history import JobHistory as JobHistories
from artifact_pipeline.worker.sql.batches.repository import SqlBatches
from artifact_pipeline.worker.web.api.models.system import (
    HistoryQuery,
    JobHistory,
    Trail,
    TrailEntry,
    TrailQuery,
)
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads

_NEWEST = TrailQuery()
_LAST = HistoryQuery()


class TrailService:
    """What was done."""

    def __init__(self, sources: Sources, threads: Threads) -> None:
        self._sources = sources
        self._threads = threads

    async def page(self, query: TrailQuery = _NEWEST) -> Trail:
        """Return a page of operators' actions. Raises: SqlUnavailableError."""
        trail = self._sources.adapters.audit_trail
        found = await self._threads.run(trail.newest, query.limit + 1, before=query.before)
        shown = found[: query.limit]
        is_end = len(found) <= query.limit
        return Trail(entries=_entries(map(entry_of, shown)), next=None if is_end else shown[-1].id)

    async def of_job(self, job_id: int, query: HistoryQuery = _LAST) -> JobHistory:
        """Return what was done with a job's artifacts.

        Raises:
            UnknownJobError: there is no such job, and nothing was done under its id.
            SqlUnavailableError: the database does not answer.
        """
        return await self._threads.run(self._of_job, job_id, query)

    def _of_job(self, job_id: int, query: HistoryQuery) -> JobHistory:
        sql = self._sources.adapters
        look = JobHistories(
            trail=sql.audit_trail,
            transfers_of=sql.transfers.of_job,
            batch=SqlBatches(sql.engine).get,
        )
        entries = look(job_id)
        if not entries:
            sql.jobs.get(job_id)
        shown = entries[::-1][: query.limit]
        return JobHistory(job_id=job_id, entries=_entries(shown), is_cut=len(shown) < len(entries))


def _entries(entries: Iterable[HistoryEntry]) -> list[TrailEntry]:
    return [
        TrailEntry(
            at=each.at,
            what=each.what,
            id=each.id,
            by=each.by,
            reason=each.reason,
            job_id=each.job_id,
            run_id=each.run_id,
            kind=each.kind,
            outcome=each.outcome,
            finished_at=each.finished_at,
            detail=each.detail,
        )
        for each in entries
    ]
