"""What PostgreSQL writes ahead for an upload, beside a million ended ones.

python -m benchmarks.wal
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model import requester
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.random_ids import random_uuids, time_ordered_uuids
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from benchmarks.backlog import new_database, stored_upload
from benchmarks.deployment import Deployment, deployment
from benchmarks.filling import fill
from benchmarks.platform import job_row

ENDED = 1_000_000
UPLOADS = 3_200
_REQUESTED_AT_ONCE, _PAGE = 100, 32
_FILL = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence,
                       requested_at, next_attempt_at, finished_at)
SELECT {request_id}, :first + n, 'job_config', 'upload', 'done', 1, 1, due, due, due
FROM generate_series(1, :rows) n,
     LATERAL (SELECT TIMESTAMP '2026-01-01' + n * INTERVAL '1 ms' AS due) at
"""
_RANDOM = "CAST(gen_random_uuid() AS text)"
_ORDERED = f"overlay({_RANDOM} PLACING '019b7705-' || lpad(to_hex(n / 16), 4, '0') FROM 1)"
"""As if sixteen were requested in each millisecond."""
_IDS: dict[str, tuple[str, Callable[[int], Iterator[str]]]] = {
    "ids that begin with the time": (_ORDERED, time_ordered_uuids),
    "random ids": (_RANDOM, random_uuids),
}
"""How the rows that are there are filled, and how new ids are made."""


def measure_wal(made: Deployment, ended: int = ENDED) -> dict[str, dict[str, float]]:
    """Return the KiB of an upload's request, and of its claim and record in a full page.

    Each is measured after a checkpoint: a page of an index that is changed for the first time
    since then is written whole.
    """
    return {name: _measured(made, ended, *ids) for name, ids in _IDS.items()}


def _measured(
    made: Deployment, ended: int, filled: str, new_ids: Callable[[int], Iterator[str]]
) -> dict[str, float]:
    with new_database(made) as engine, patch.object(requester, "time_ordered_uuids", new_ids):
        fill(engine, "transfers", _FILL.format(request_id=filled), rows=ended, first=UPLOADS)
        with _written(engine) as of_requests:
            ids = _request(engine)
        with _written(engine) as of_pages:
            _upload(engine, ids)
    return {"request": of_requests[0], "claim and record": of_pages[0]}


def _request(engine: Engine) -> dict[int, str]:
    """Request the uploads; return the id of each job's request."""
    ids: dict[int, str] = {}
    for first in range(1, UPLOADS + 1, _REQUESTED_AT_ONCE):
        jobs = range(first, first + _REQUESTED_AT_ONCE)
        with Session(engine) as session, session.begin():
            session.add_all(map(job_row, jobs))
            session.flush()
            asked = [(ArtifactKind.JOB_CONFIG, job_id, None) for job_id in jobs]
            transfers = request_uploads(session, asked, publish=False)
            ids |= {each.artifact.job_id: each.request_id for each in transfers}
    return ids


def _upload(engine: Engine, ids: dict[int, str]) -> None:
    pages = SqlUploadPages(engine)
    for job_id in list(ids)[::_PAGE]:
        page = pages.claim(
            Artifact(ArtifactKind.JOB_CONFIG, job_id),
            ids[job_id],
            kinds=[ArtifactKind.JOB_CONFIG],
            limit=_PAGE,
            owner="benchmark",
            lease=timedelta(minutes=1),
        )
        pages.record([stored_upload(each.claim) for each in page])


@contextmanager
def _written(engine: Engine) -> Iterator[list[float]]:
    """Yield a list that has, after the context, the KiB that were written for an upload."""
    kib: list[float] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
    before = _position(engine)
    yield kib
    kib.append(round((_position(engine) - before) / 1024 / UPLOADS, 2))


def _position(engine: Engine) -> int:
    with engine.connect() as connection:
        position = text("SELECT pg_current_wal_lsn() - CAST('0/0' AS pg_lsn)")
        return int(connection.execute(position).scalar_one())


if __name__ == "__main__":
    with deployment() as servers:
        print(json.dumps(measure_wal(servers), indent=2))
