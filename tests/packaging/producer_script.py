"""A producer's process, run by the tests in environments of its own; it prints what it has seen."""

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from sqlalchemy.orm import Session

from domain.artifacts import Artifact, ArtifactKind
from domain.errors import JobStatusError
from domain.transfers import Direction
from tasks.uploads import upload_run_logs
from worker.producers import Producer
from worker.settings import ProducerSettings, load
from worker.sql.engine import make_engine
from worker.sql.migrate import upgrade
from worker.sql.requests import request_download, request_upload
from worker.sql.tables import JobRow, RunRow
from worker.sql.transfers import SqlTransfers

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


def main() -> None:
    """Do what producers do."""
    engine = make_engine(os.environ["ARTIFACTS_DATABASE_URL"])
    upgrade(engine, with_platform_tables=True)
    producer = Producer(load(ProducerSettings))
    seen: dict[str, Any] = {"sqlalchemy": sqlalchemy.__version__}
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
        seen["second"] = _refused(producer.controller(session))
        seen["status"] = [str(each.artifact) for each in producer.controller(session).status(12)]
    upload_run_logs.delay(job_id=12, run_id=4)
    latest = SqlTransfers(engine).latest(Artifact(ArtifactKind.RUN_RESULTS, 12, 4), UPLOAD)
    seen["is_recorded"] = latest == transfer
    seen["urls"] = [location.sanitized for location in urls]
    json.dump(seen, sys.stdout)


UPLOAD = Direction.UPLOAD


def _refused(controller: Any) -> str:
    try:
        controller.submit_job(12)
    except JobStatusError as error:
        return str(error)
    return "accepted"


if __name__ == "__main__":
    main()
