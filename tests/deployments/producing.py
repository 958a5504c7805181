"""A producer, of the release that is first on its path.

python producing.py DATABASE_URL BROKER_URL ASKED: ASKED is JSON, with the artifacts that are asked
for in each way. It prints whose code it has run.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from celery import Celery
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import artifact_pipeline
from artifact_pipeline import (
    ArtifactKind,
    producer_app,
    request_job_uploads,
    request_upload,
    request_uploads,
)

Asked = list[tuple[str, int, int | None]]


def one_by_one(session: Session, _app: Celery, artifacts: Asked) -> None:
    for kind, job_id, run_id in artifacts:
        request_upload(session, kind, job_id, run_id)


def together(session: Session, _app: Celery, artifacts: Asked) -> None:
    request_uploads(session, artifacts)


def whole_job(session: Session, _app: Celery, artifacts: Asked) -> None:
    [job_id] = {job_id for _, job_id, _ in artifacts}
    asked = request_job_uploads(session, job_id, kinds=[ArtifactKind.RUN_CONFIG])
    assert len(asked) == len(artifacts)


def by_the_dispatch(session: Session, _app: Celery, artifacts: Asked) -> None:
    request_uploads(session, artifacts, publish=False)


def bare(_session: Session, app: Celery, artifacts: Asked) -> None:
    for kind, job_id, run_id in artifacts:
        ids = {"job_id": job_id} if run_id is None else {"job_id": job_id, "run_id": run_id}
        app.send_task(f"artifacts.upload_{kind}", kwargs=ids)


WAYS: dict[str, Callable[[Session, Celery, Asked], None]] = {
    way.__name__: way for way in (one_by_one, together, whole_job, by_the_dispatch, bare)
}


def main(database_url: str, broker_url: str, asked: str) -> None:
    app = producer_app(broker_url)
    ways: dict[str, Any] = json.loads(asked)
    for name, artifacts in ways.items():
        with Session(create_engine(database_url)) as session, session.begin():
            WAYS[name](session, app, [(kind, job, run) for kind, job, run in artifacts])
    print(artifact_pipeline.__file__)  # noqa: T201 - the answer to the test


if __name__ == "__main__":
    main(*sys.argv[1:])
