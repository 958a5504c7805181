"""Every endpoint of the API. The OpenAPI document is made from this table."""

from artifact_pipeline.worker.web.api import handlers
from artifact_pipeline.worker.web.api.endpoints import Endpoint
from artifact_pipeline.worker.web.api.models.jobs import Job, JobQuery, JobsPage, JobsQuery
from artifact_pipeline.worker.web.api.models.overview import Overview
from artifact_pipeline.worker.web.api.models.system import Session

ROOT = "/api/v1"

ENDPOINTS = (
    Endpoint(
        path="/session",
        name="session",
        summary="Who asks, and the token that each POST needs.",
        handle=handlers.session,
        answer=Session,
    ),
    Endpoint(
        path="/overview",
        name="overview",
        summary="The pipeline at a glance.",
        handle=handlers.overview,
        answer=Overview,
    ),
    Endpoint(
        path="/jobs",
        name="jobs",
        summary="Search jobs, the newest first.",
        handle=handlers.jobs,
        query=JobsQuery,
        answer=JobsPage,
    ),
    Endpoint(
        path="/jobs/{job_id}",
        name="job",
        summary="A job's directory as a tree, and its transfers with their timelines.",
        handle=handlers.job,
        query=JobQuery,
        answer=Job,
    ),
)
