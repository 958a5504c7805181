"""Claim, record and dispatch while few, and while a million transfers or more are outstanding."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from sqlalchemy import Engine, text

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import (
    Claim,
    Direction,
    QueueCapacity,
    RepublishPolicy,
)
from artifact_pipeline.domain.ports.transfer_pages import StoredUpload
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from benchmarks.deployment import CREATED_AT, Deployment
from benchmarks.figures import OURS, Figure, Measured, Unit, compared, interleaved
from benchmarks.filling import fill
from benchmarks.plans import explained, of_table
from benchmarks.platform import key_of

FEW, MANY = 1_000, 1_000_000
EVEN_MORE = 10_000_000
_CLAIMS = 200
_UPLOAD_PAGES, _UPLOADS_OF_A_PAGE = 10, 32
_PAGE = 500
_ROUNDS = 25
"""More than elsewhere: a round takes a second or less, and a difference of 3 % counts."""
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

_FILL = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence,
                       requested_at, next_attempt_at)
SELECT 'request-' || n, n, 'job_config', 'upload', 'requested', 0, 0, due, due
FROM generate_series(1, :rows) n,
     LATERAL (SELECT CAST(:then AS timestamp) + n * INTERVAL '1 ms' AS due) at
"""
_FILL_JOBS = """
INSERT INTO jobs (id, user_id, status, created_at)
SELECT n, 1, 'CREATED', :created_at FROM generate_series(1, :jobs) n
"""
_UNDO_PAGES = """
UPDATE transfers SET state = 'requested', attempts = 0, finished_at = NULL, bytes_sent = NULL
WHERE job_id <= :jobs
"""
# By their jobs, which have an index: reading ten million rows after each round takes minutes.
_UNDO_CLAIMS = """
UPDATE transfers SET state = 'requested', attempts = 0, lease_owner = NULL, lease_expires_at = NULL
WHERE state = 'running' AND job_id = ANY(:jobs)
"""
_UNDO_DISPATCH = """
UPDATE transfers SET enqueued_at = NULL WHERE enqueued_at IS NOT NULL AND job_id <= :jobs
"""


class Backlog:
    def __init__(self, made: Deployment, engine: Engine, rows: int) -> None:
        self._made = made
        self._engine = engine
        self._rows = rows
        self._transfers = SqlTransfers(engine)
        self._pages = SqlUploadPages(engine)
        then = _LONG_AGO.replace(tzinfo=None)
        filled = fill(engine, "transfers", _FILL, rows=rows, then=then)
        print(f"{rows:,} transfers: {filled}", flush=True)
        created_at = CREATED_AT.replace(tzinfo=None)
        self._execute(_FILL_JOBS, jobs=_UPLOAD_PAGES * _UPLOADS_OF_A_PAGE, created_at=created_at)

    def claims(self) -> Measured:
        step = self._rows // _CLAIMS
        jobs = range(1, _CLAIMS * step, step)
        began = time.perf_counter()
        for job_id in jobs:
            claim = self._transfers.claim(
                Artifact(ArtifactKind.JOB_CONFIG, job_id),
                Direction.UPLOAD,
                f"request-{job_id}",
                owner="benchmark",
                lease=timedelta(minutes=1),
            )
            assert claim is not None
        seconds = time.perf_counter() - began
        undone = self._execute(_UNDO_CLAIMS, jobs=list(jobs))
        assert undone == _CLAIMS
        return {Unit.CLAIMS: _CLAIMS / seconds}

    def pages(self) -> Measured:
        """Claim and record pages as workers do, from the oldest upload on."""
        uploads = _UPLOAD_PAGES * _UPLOADS_OF_A_PAGE
        began = time.perf_counter()
        for job_id in range(1, uploads, _UPLOADS_OF_A_PAGE):
            page = self._pages.claim(
                Artifact(ArtifactKind.JOB_CONFIG, job_id),
                f"request-{job_id}",
                kinds=[ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG],
                limit=_UPLOADS_OF_A_PAGE,
                owner="benchmark",
                lease=timedelta(minutes=1),
            )
            recorded = self._pages.record([stored_upload(each.claim) for each in page])
            assert len(recorded) == _UPLOADS_OF_A_PAGE
        seconds = time.perf_counter() - began
        self._execute("DELETE FROM artifacts")
        self._execute(_UNDO_PAGES, jobs=uploads)
        return {Unit.RECORDS: uploads / seconds}

    def dispatch(self) -> Measured:
        began = time.perf_counter()
        published = self._transfers.publish_due(
            partial(publish, app=self._made.app),
            limit=_PAGE,
            room=QueueCapacity(kinds=frozenset(ArtifactKind), batches=True),
            loss=RepublishPolicy(
                broker_epoch=_LONG_AGO,
                unclaimed_after=timedelta(seconds=15),
                republish_after=timedelta(seconds=300),
            ),
        )
        seconds = time.perf_counter() - began
        assert published == _PAGE
        undone = self._execute(_UNDO_DISPATCH, jobs=_PAGE)
        assert undone == _PAGE
        with self._made.stack.broker.client() as client:
            client.flushall()
        return {Unit.REQUESTS: _PAGE / seconds}

    def print_plans(self) -> None:
        """Print how PostgreSQL claims, records and dispatches with so many rows."""
        steps = {"claim": self.claims, "pages": self.pages, "dispatch": self.dispatch}
        for name, step in steps.items():
            with explained(self._engine) as plans:
                step()
            for plan in of_table(plans, "transfers"):
                print(f"\n{name}, {self._rows:,} transfers:\n{plan}", flush=True)

    def _execute(self, statement: str, **parameters: object) -> int:
        with self._engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            own = text(statement).execution_options(unexplained=True)
            return connection.execute(own, parameters).rowcount


def measure_backlog(made: Deployment, many: int = MANY) -> list[Figure]:
    """Ours alone: the cost of a thousand times as many, or more."""
    peer = f"ours with {FEW:,}"
    with _backlog(made, FEW) as few, _backlog(made, many) as more:
        claims = interleaved({OURS: more.claims, peer: few.claims}, _ROUNDS)
        pages = interleaved({OURS: more.pages, peer: few.pages}, _ROUNDS)
        dispatch = interleaved({OURS: more.dispatch, peer: few.dispatch}, _ROUNDS)
        if many > MANY:
            more.print_plans()
    return [
        *compared(f"claims, one by one, with {many:,} outstanding", claims),
        *compared(f"pages of uploads claimed and recorded, with {many:,} outstanding", pages),
        *compared(f"dispatch of a page, with {many:,} outstanding", dispatch),
    ]


def stored_upload(claim: Claim) -> StoredUpload:
    """Return the upload of a small object that was claimed."""
    stored = StoredObject(
        key=key_of(claim.artifact),
        size=4096,
        sha256="ab" * 32,
        checksum=Checksum(SHA256, "c2hhMjU2"),
        version='"0123"',
    )
    return StoredUpload(
        claim=claim,
        stored=StoredArtifact(artifact=claim.artifact, object=stored),
        location=UploadLocation("https://artifacts.s3.invalid/config"),
    )


@contextmanager
def _backlog(made: Deployment, rows: int) -> Iterator[Backlog]:
    with new_database(made) as engine:
        yield Backlog(made, engine, rows)


@contextmanager
def new_database(made: Deployment) -> Iterator[Engine]:
    """Make a separate database on the same server, with all tables."""
    name = f"backlog_{uuid4().hex}"
    _administer(made, f"CREATE DATABASE {name}")
    engine = make_engine(made.stack.database_url.replace("/platform?", f"/{name}?"))
    try:
        upgrade(engine, with_platform_tables=True)
        yield engine
    finally:
        engine.dispose()
        _administer(made, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(made: Deployment, statement: str) -> None:
    engine = made.stack.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
