"""A producer's process, run by the tests in environments of its own; it prints what it has seen."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import ConfigurationError, JobStatusError, SessionTypeError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.uploads import upload_run_logs
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.settings import ProducerSettings, load
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.platform import SqlJobs
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import request_download, request_upload

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


def main() -> None:
    """Do what producers do."""
    engine = _engine(os.environ["ARTIFACTS_DATABASE_URL"])
    unready = _refused(lambda: SqlJobs(engine).newest(1), ConfigurationError)
    upgrade(engine, with_platform_tables=True)
    producer = Producer(load(ProducerSettings))
    seen: dict[str, Any] = {"sqlalchemy": sqlalchemy.__version__, "driver": engine.driver}
    seen["unready"] = unready
    with Session(engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=7, status="CREATED", created_at=CREATED_AT))
        session.flush()
        run = {"id": 4, "job_id": 12, "user_id": 7, "status": "RUNNING", "created_at": CREATED_AT}
        session.add(RunRow(**run))
        transfer = request_upload(session, ArtifactKind.RUN_RESULTS, 12, 4)
        request_download(session, ArtifactKind.JOB_CONFIG, 12)
    with Session(engine) as session, session.begin():
        controller = producer.controller(session)
        urls = [controller.submit_job_config(12), controller.submit_run_config(12, 4)]
        urls.append(controller.submit_job(12))
        controller.confirm_upload(12)
    with Session(engine) as session, session.begin():
        controller = producer.controller(session)
        seen["second"] = _refused(lambda: controller.submit_job(12), JobStatusError)
        seen["status"] = [str(each.artifact) for each in producer.controller(session).status(12)]
    upload_run_logs.delay(job_id=12, run_id=4)
    latest = SqlTransfers(engine).latest(Artifact(ArtifactKind.RUN_RESULTS, 12, 4), UPLOAD)
    seen["is_recorded"] = latest == transfer
    seen["urls"] = [location.sanitized for location in urls]
    if engine.driver == "psycopg" and find_spec("greenlet"):
        seen["asynchronous"] = asyncio.run(_ask_asynchronously())
    json.dump(seen, sys.stdout)


async def _ask_asynchronously() -> list[str]:
    from sqlalchemy.ext.asyncio import (  # noqa: PLC0415 - needs greenlet
        AsyncSession,
        async_scoped_session,
        async_sessionmaker,
        create_async_engine,
    )

    engine = create_async_engine(os.environ["ARTIFACTS_DATABASE_URL"])
    scoped: Any = async_scoped_session(async_sessionmaker(engine), asyncio.current_task)
    kind = ArtifactKind.RUN_CONFIG
    async with AsyncSession(engine) as session, session.begin():
        refused: list[Any] = [session, scoped]
        said = [
            _refused(partial(request_upload, each, kind, 12, 4), SessionTypeError)
            for each in refused
        ]
        asked = await session.run_sync(lambda s: request_upload(s, kind, 12, 4, publish=False))
        await scoped().run_sync(lambda s: SqlJobs(s).get(12))
        await scoped.remove()
    await engine.dispose()
    return [*said, asked.state]


UPLOAD = Direction.UPLOAD


def _engine(url: str) -> Engine:
    """Return the pipeline's engine, or the platform's own where it has another driver."""
    return create_engine(url) if "psycopg2" in url else make_engine(url)


def _refused(call: Callable[[], object], expected: type[Exception]) -> str:
    try:
        call()
    except expected as error:
        return str(error)
    return "accepted"


if __name__ == "__main__":
    main()
