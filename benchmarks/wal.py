"""What PostgreSQL writes ahead for an upload, beside a million ended ones.

python -m benchmarks.wal
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from unittest.mock import patch

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model import requester
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.random_ids import random_uuids, time_ordered_uuids
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from benchmarks.backlog import new_database, stored_upload
from benchmarks.deployment import Deployment, deployment
from benchmarks.filling import fill, run_maintenance
from benchmarks.platform import job_row

ENDED, UPLOADS = 1_000_000, 3_200
_USERS = 1_000
_PAGE = 32
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """How ids are made. Attributes: `filled` makes those of the rows that are there, in SQL."""

    filled: str
    made: Callable[[int], Iterator[str]] = time_ordered_uuids
    have_users: bool = False


IDS = {
    "ids that begin with the time": Ids(filled=_ORDERED),
    f"the same behind the ids of {_USERS:,} users": Ids(
        filled=f"'user-' || n % {_USERS} || '-' || {_ORDERED}", have_users=True
    ),
    "random ids": Ids(filled=_RANDOM, made=random_uuids),
}


def measure_wal(
    made: Deployment, ended: int = ENDED, uploads: int = UPLOADS
) -> dict[str, dict[str, float]]:
    """Return the KiB of an upload's request, of its claim and record in a full page, and of both.

    Each is measured after a checkpoint: a page of an index that is changed for the first time
    since then is written whole.
    """
    return {name: _measured(made, ids, ended, uploads) for name, ids in IDS.items()}


def _measured(made: Deployment, ids: Ids, ended: int, uploads: int) -> dict[str, float]:
    jobs = range(1, uploads + 1)
    with (
        new_database(made) as engine,
        patch.object(requester, "time_ordered_uuids", ids.made),
    ):
        with Session(engine) as session, session.begin():
            session.add_all(map(job_row, jobs))
        statement = _FILL.format(request_id=ids.filled)
        fill(engine, "transfers", statement, rows=ended, first=uploads)
        requests: dict[int, str] = {}
        written = {
            "request": _written(engine, lambda: requests.update(_requested(engine, ids, jobs))),
            "claim and record": _written(engine, lambda: _upload(engine, requests)),
        }
    written["sum"] = sum(written.values())
    return {name: round(each / 1024 / uploads, 2) for name, each in written.items()}


def _requested(engine: Engine, ids: Ids, jobs: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Request the config of each job, and yield the job with the request's id."""
    for job_id in jobs:
        user = job_id % _USERS if ids.have_users else None
        with Session(engine) as session, session.begin():
            transfer = request_upload(
                session, ArtifactKind.JOB_CONFIG, job_id, requested_by=user, publish=False
            )
        yield job_id, transfer.request_id


def _upload(engine: Engine, requests: dict[int, str]) -> None:
    pages = SqlUploadPages(engine)
    while requests:
        job_id, request_id = next(iter(requests.items()))
        page = pages.claim(
            Artifact(ArtifactKind.JOB_CONFIG, job_id),
            request_id,
            kinds=[ArtifactKind.JOB_CONFIG],
            limit=_PAGE,
            owner="benchmark",
            lease=timedelta(minutes=1),
        )
        recorded = pages.record([stored_upload(each.claim) for each in page])
        assert len(recorded) == min(_PAGE, len(requests))
        for each in page:
            del requests[each.claim.artifact.job_id]


def _written(engine: Engine, work: Callable[[], None]) -> int:
    """Return the bytes that the work has written, after a checkpoint."""
    run_maintenance(engine, "CHECKPOINT")
    before = _position(engine)
    work()
    return _position(engine) - before


def _position(engine: Engine) -> int:
    with engine.connect() as connection:
        position = text("SELECT pg_current_wal_lsn() - CAST('0/0' AS pg_lsn)")
        return int(connection.execute(position).scalar_one())


if __name__ == "__main__":
    with deployment() as servers:
        print(json.dumps(measure_wal(servers), indent=2))
