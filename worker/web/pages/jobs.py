"""The search of jobs, a job, and its history."""

from starlette.responses import Response

from artifact_pipeline.worker.web.api.models.jobs import JobQuery, JobsQuery
from artifact_pipeline.worker.web.errors import InvalidInputError
from artifact_pipeline.worker.web.pages.visit import Visit

_CRITERIA = ("job_id", "run_id", "user_id", "tag")


async def jobs_page(visit: Visit) -> Response:
    """Return the jobs that fit."""
    form = {name: visit.query.get(name, "") for name in _CRITERIA}
    try:
        query = visit.asked(JobsQuery)
    except InvalidInputError as error:
        return visit.page("jobs.html", form=form, problem=str(error), page=None)
    page = await visit.service.jobs.search(query)
    return visit.page("jobs.html", form=form, problem=None, page=page)


async def job_page(visit: Visit) -> Response:
    """Return a job with its directory and its transfers."""
    job = await visit.service.jobs.get(visit.job_id, visit.asked(JobQuery))
    return visit.page("job.html", job=job)
