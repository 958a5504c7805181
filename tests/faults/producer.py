"""A platform that creates jobs and asks for uploads, whatever happens around it."""

import time

from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from domain.errors import PipelineError
from tests.faults.load import WantedJob
from worker.sql.requests import request_upload
from worker.sql.tables import JobRow, RunRow

_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.1


def ask_for(engine: Engine, app: Celery, job: WantedJob) -> None:
    """Insert the job, its runs and its requests in one transaction, which may take some tries."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            _insert(engine, app, job)
        except (SQLAlchemyError, PipelineError):
            # The answer to a commit may be lost, and the commit not: then it is there.
            if _is_there(engine, job):
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _insert(engine: Engine, app: Celery, job: WantedJob) -> None:
    with Session(engine) as session, session.begin():
        session.add(JobRow(id=job.id, user_id=1, status="CREATED", created_at=job.created_at))
        session.flush()
        for run_id in job.run_ids:
            session.add(
                RunRow(
                    id=run_id,
                    job_id=job.id,
                    user_id=1,
                    status="RUNNING",
                    created_at=job.created_at,
                )
            )
        for wanted in job.wanted:
            artifact = wanted.artifact
            request_upload(session, artifact.kind, artifact.job_id, artifact.run_id, app=app)


def _is_there(engine: Engine, job: WantedJob) -> bool:
    try:
        with Session(engine) as session:
            return session.get(JobRow, job.id) is not None
    except SQLAlchemyError:
        return False
