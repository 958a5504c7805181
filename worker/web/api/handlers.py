"""The handlers of the endpoints: each hands its call on to the service."""

from artifact_pipeline.worker.web.api.endpoints import Call
from artifact_pipeline.worker.web.api.models.jobs import Job, JobsPage
from artifact_pipeline.worker.web.api.models.overview import Overview
from artifact_pipeline.worker.web.api.models.system import Session


async def session(call: Call) -> Session:
    """Return who asks."""
    user = call.user
    return Session(user=user.name, role=user.role, csrf_token=call.service.csrf.token(user.name))


async def overview(call: Call) -> Overview:
    """Return the overview."""
    return await call.service.overviews.get()


async def jobs(call: Call) -> JobsPage:
    """Return a page of jobs."""
    return await call.service.jobs.search(call.query)


async def job(call: Call) -> Job:
    """Return a job."""
    return await call.service.jobs.get(call.path["job_id"], call.query)
