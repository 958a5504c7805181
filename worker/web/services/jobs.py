"""Jobs: the search, and one job with everything of it."""

from artifact_pipeline.worker.sql.job_pages import JobSearch
from artifact_pipeline.worker.web.api.models.jobs import Job, JobQuery, JobsPage, JobsQuery
from artifact_pipeline.worker.web.reads.jobs import job_answer, jobs_page
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads

_ANY_JOB = JobsQuery()
_FIRST = JobQuery()


class Jobs:
    """Jobs, as SQL has them."""

    def __init__(self, sources: Sources, threads: Threads) -> None:
        self._sources = sources
        self._threads = threads

    async def search(self, query: JobsQuery = _ANY_JOB) -> JobsPage:
        """Return a page of jobs. Raises: SqlUnavailableError."""
        return await self._threads.run(self._search, query)

    async def get(self, job_id: int, query: JobQuery = _FIRST) -> Job:
        """Return a page of a job.

        Raises:
            UnknownJobError: there is no such job.
            SqlUnavailableError: the database does not answer.
        """
        return await self._threads.run(self._get, job_id, query)

    def _search(self, query: JobsQuery) -> JobsPage:
        search = JobSearch(
            job_id=query.job_id, user_id=query.user_id, run_id=query.run_id, tag=query.tag
        )
        pages = self._sources.job_pages
        return jobs_page(pages.search(search, limit=query.limit, before=query.before))

    def _get(self, job_id: int, query: JobQuery) -> Job:
        sql = self._sources.adapters
        part = self._sources.job_pages.part(
            job_id, after_run=query.after_run, before=query.before_transfer, limit=query.limit
        )
        return job_answer(
            part, sql.transfers.now(), sql.tombstones.of_job(job_id), sql.legal_holds.find(job_id)
        )
