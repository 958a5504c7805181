"""Pruning a million transfers while small uploads are requested and recorded.

python -m benchmarks.pruning [ROWS]
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.maintenance.prune_history import PruneHistory
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.history import SqlHistory
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from benchmarks.backlog import stored_upload
from benchmarks.filling import run_maintenance
from benchmarks.platform import job_row
from tests.faults.postgres import RestartablePostgres

PRUNED = 1_000_000
_ROWS = 1_100_000
_DATABASE = "platform"
_OLD = timedelta(days=90)
_LEASE = timedelta(minutes=1)
_SECONDS = 30
_FIRST_UPLOAD = 100_000_000
_FILL = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence, requested_at,
                       next_attempt_at, finished_at, bytes_sent, requested_by)
SELECT gen_random_uuid()::text, CASE WHEN n > :pruned THEN n - :pruned ELSE 1 + n % :jobs END,
       'job_config', 'upload', 'done', 1, 1, ended, ended, ended, 4096, 'user-7'
FROM generate_series(CAST(:first AS bigint), :last) n,
     LATERAL (SELECT timestamp '2020-01-01' + n * interval '1 s' AS ended) at
"""
_FILLED_AT_ONCE = 1_000_000


def measure_pruning(database_url: str, rows: int) -> None:
    """Print the latencies of uploads without and with pruning, and how long it takes."""
    engine = make_engine(database_url)
    upgrade(engine, with_platform_tables=True)
    _fill(engine, rows)
    uploads = Uploads(engine)
    until = time.perf_counter() + _SECONDS
    _show(f"{rows:,} rows, without pruning", uploads.while_(lambda: time.perf_counter() < until))
    before, began = _count(engine), time.perf_counter()
    command = (sys.executable, "-m", "benchmarks.pruning", "--prune", database_url)
    # In this process it would share an interpreter's lock with the uploads.
    with lifeline.start(command, stdout=subprocess.PIPE, text=True) as pruning:
        during = uploads.while_(lambda: pruning.poll() is None)
        assert pruning.stdout is not None
        said = pruning.stdout.read().strip()
    seconds = time.perf_counter() - began
    assert pruning.returncode == 0, said
    removed = before + len(during) - _count(engine)
    assert removed == PRUNED, removed
    _show(f"{rows:,} rows, while {removed:,} are pruned in {seconds:.0f} s", during)
    print(f"pruning: {removed / seconds:,.0f} rows/s; {said}")
    engine.dispose()


class Uploads:
    """Small uploads as producers request and workers claim and record them, one after another."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pages = SqlUploadPages(engine)
        self._next_id = _FIRST_UPLOAD

    def while_(self, is_wanted: Callable[[], bool]) -> list[float]:
        """Return the seconds that each upload took."""
        latencies = []
        while is_wanted():
            began = time.perf_counter()
            self._upload()
            latencies.append(time.perf_counter() - began)
        return latencies

    def _upload(self) -> None:
        self._next_id += 1
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self._next_id)
        with Session(self._engine) as session, session.begin():
            session.add(job_row(artifact.job_id))
            session.flush()
            request_id = request_upload(
                session, artifact.kind, artifact.job_id, publish=False
            ).request_id
        [claimed] = self._pages.claim(
            artifact, request_id, kinds=[artifact.kind], limit=1, owner="benchmark", lease=_LEASE
        )
        assert self._pages.record([stored_upload(claimed.claim)])


def _fill(engine: Engine, rows: int) -> None:
    for first in range(1, rows + 1, _FILLED_AT_ONCE):
        last = min(rows, first + _FILLED_AT_ONCE - 1)
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            of_page = {"first": first, "last": last, "pruned": PRUNED, "jobs": rows - PRUNED}
            connection.execute(text(_FILL), of_page)
    run_maintenance(engine, "VACUUM ANALYZE transfers", "CHECKPOINT")


def _count(engine: Engine) -> int:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        return int(connection.execute(text("SELECT count(*) FROM transfers")).scalar_one())


def _show(name: str, latencies: list[float]) -> None:
    ordered = sorted(latencies)
    at = [ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99)]
    rate = len(ordered) / sum(ordered)
    print(f"{name}: p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, {rate:.0f} uploads/s", flush=True)


def _prune(database_url: str) -> None:
    """Prune as the periodic task does, but without its pauses."""
    engine = make_engine(database_url)
    pages: list[float] = []
    began = time.perf_counter()
    work = PruneHistory(
        history=SqlHistory(engine), older_than=_OLD, clock=partial(_note, pages, began)
    )
    work(timedelta(days=1))
    longest = max(end - begin for begin, end in pairwise(pages))
    print(f"longest page {1000 * longest:.0f} ms")
    engine.dispose()


def _note(pages: list[float], began: float) -> float:
    pages.append(time.perf_counter() - began)
    return pages[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=_ROWS)
    parser.add_argument("--prune", metavar="DATABASE_URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prune:
        _prune(given.prune)
    else:
        with RestartablePostgres() as postgres:
            postgres.create(_DATABASE)
            measure_pruning(postgres.url(_DATABASE), given.rows)
