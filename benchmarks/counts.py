"""What one small upload costs, and its artifact then: requests, statements, commands, bytes."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload, UploadContext, UploadType
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from benchmarks import naive
from benchmarks.deployment import CREATED_AT, Deployment
from benchmarks.figures import OURS, Figure, Measured, Unit, compared
from benchmarks.platform import job_row, recorded
from benchmarks.probes import Requests, RoundTrips, Statements

UPLOADS = 200
_WARM_UP = 10
"""Uploads until connections stand and statements are prepared."""
_PEER = "naive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of one upload.

    Attributes:
        redis_commands: by name, of the producer and of the worker.
    """

    s3_requests: list[str]
    sql_of_the_producer: list[str]
    sql_of_the_worker: list[str]
    round_trips_of_the_producer: int
    round_trips_of_the_worker: int
    message_bytes: int
    redis_commands_of_the_producer: dict[str, int]
    redis_commands_of_the_worker: dict[str, int]

    @property
    def round_trips(self) -> int:
        return self.round_trips_of_the_producer + self.round_trips_of_the_worker

    @property
    def redis_commands(self) -> int:
        commands = (self.redis_commands_of_the_producer, self.redis_commands_of_the_worker)
        return sum(sum(of_one.values()) for of_one in commands)


@dataclass(frozen=True, slots=True)
class _Contender:
    """One of the programs that are compared.

    Attributes: `ask` for the upload of a job, `work` it off in this process.
    """

    ask: Callable[[Session, int], None]
    after_commit: Callable[[int], Any]
    work: Callable[[int], Any]
    queue: str
    broker_database: int
    start_worker: Callable[[], ManagedProcess]
    stored: Callable[[int, int], int]


def count_ours(made: Deployment) -> Costs:
    with composition_of(made) as composition:

        def ask(session: Session, job_id: int) -> None:
            transfer = request_upload(session, ArtifactKind.JOB_CONFIG, job_id, app=made.app)
            requested[job_id] = transfer.request_id

        requested: dict[int, str] = {}
        ours = _Contender(
            ask=ask,
            after_commit=lambda _: None,
            work=lambda job_id: composition.transfer(
                Direction.UPLOAD, _config(job_id), requested[job_id]
            ),
            queue="configs",
            broker_database=0,
            # What beat and heartbeats cost goes by the time, which on a busy machine is long.
            # And in pages, messages of a backlog are dropped, how many depends on the time too.
            start_worker=partial(
                made.start_worker,
                "--without-heartbeat",
                beat=False,
                environment={"ARTIFACTS_PAGE_SIZE": "1"},
            ),
            stored=lambda first, last: recorded(made, first, last),
        )
        return _count(made, ours, composition.adapters.engine, composition.adapters.client)


def count_naive(made: Deployment) -> Costs:
    def located(first: int, last: int) -> int:
        statement = "SELECT count(config_location) FROM jobs WHERE id BETWEEN :first AND :last"
        return made.count(statement, first=first, last=last)

    with patch.dict("os.environ", made.environment):
        theirs = _Contender(
            ask=lambda _session, _job_id: None,
            after_commit=naive.upload_job_config.delay,
            work=naive.upload_job_config.run,
            queue="celery",
            broker_database=1,
            start_worker=made.start_naive_worker,
            stored=located,
        )
        return _count(made, theirs, naive.engine(), naive.s3())


def count_what_is_stored(made: Deployment) -> tuple[list[str], list[str]]:
    """S3's requests for a download of a recorded artifact, and for an upload URL."""
    with composition_of(made) as composition:
        [job_id] = made.new_ids(1)
        artifact = _prepared(made, job_id)
        with Session(made.stack.engine) as session, session.begin():
            session.add(job_row(job_id))
        composition.transfer(Direction.UPLOAD, artifact, str(uuid4()))
        made.path(artifact).unlink()
        requests = Requests(composition.adapters.client)
        composition.transfer(Direction.DOWNLOAD, artifact, str(uuid4()))
        downloading = requests.taken()
        upload = JobUpload(UploadContext.JOB, UploadType.CONFIG, job_id)
        prefix = JobS3Prefix(job_id, CREATED_AT)
        composition.adapters.upload_locations.get_upload_location(upload, prefix)
        return downloading, requests.taken()


def compare_counts(made: Deployment) -> list[Figure]:
    medians = {OURS: in_units(count_ours(made)), _PEER: in_units(count_naive(made))}
    return compared("one small upload", medians)


def in_units(costs: Costs) -> Measured:
    """Return the sums that are compared."""
    return {
        Unit.S3_REQUESTS: len(costs.s3_requests),
        Unit.SQL_ROUND_TRIPS: costs.round_trips,
        Unit.REDIS_COMMANDS: costs.redis_commands,
        Unit.MESSAGE: costs.message_bytes,
    }


def _count(made: Deployment, contender: _Contender, engine: Engine, client: Any) -> Costs:
    with RoundTrips(made.stack.engine) as asking, RoundTrips(engine) as working:
        warm_up = made.new_ids(_WARM_UP)
        _ask(made, contender, warm_up)
        for job_id in warm_up:
            contender.work(job_id)
        asking.taken(), working.taken()
        with Statements(made.stack.engine) as asked, Statements(engine) as worked:
            requests = Requests(client)
            [job_id] = made.new_ids(1)
            _ask(made, contender, [job_id])
            contender.work(job_id)
        return Costs(
            s3_requests=requests.taken(),
            sql_of_the_producer=asked.seen,
            sql_of_the_worker=worked.seen,
            round_trips_of_the_producer=asking.taken(),
            round_trips_of_the_worker=working.taken(),
            **_at_the_broker(made, contender),
        )


def _at_the_broker(made: Deployment, contender: _Contender) -> dict[str, Any]:
    """Counted by the broker itself; what it does while idle is lost in the division."""
    with made.stack.broker.client() as broker:
        broker.flushall()
    job_ids = made.new_ids(UPLOADS)
    before = _commands(made)
    _ask(made, contender, job_ids)
    published = _commands(made)
    with made.stack.broker.client() as broker:
        broker.select(contender.broker_database)
        sizes: Any = [len(raw) for raw in broker.lrange(contender.queue, 0, -1)]
    worker = contender.start_worker()
    made.wait_until(lambda: contender.stored(job_ids[0], job_ids[-1]) == UPLOADS)
    consumed = _commands(made)
    worker.stop()
    return {
        "message_bytes": max(sizes),
        "redis_commands_of_the_producer": _per_upload(published - before),
        "redis_commands_of_the_worker": _per_upload(consumed - published),
    }


def _ask(made: Deployment, contender: _Contender, job_ids: Sequence[int]) -> None:
    for job_id in job_ids:
        _prepared(made, job_id)
        with Session(made.stack.engine) as session, session.begin():
            session.add(job_row(job_id))
            session.flush()
            contender.ask(session, job_id)
        contender.after_commit(job_id)


def _prepared(made: Deployment, job_id: int) -> Artifact:
    artifact = _config(job_id)
    made.path(artifact).write_bytes(b"x" * 4096)
    return artifact


def _config(job_id: int) -> Artifact:
    return Artifact(ArtifactKind.JOB_CONFIG, job_id)


@contextmanager
def composition_of(made: Deployment) -> Iterator[Composition]:
    """The use cases as a worker's child runs them, in this process."""
    with patch.dict("os.environ", made.stack.settings()):
        composition = Composition(load(WorkerSettings), made.app)
        yield composition
        composition.adapters.engine.dispose()


def _commands(made: Deployment) -> Counter[str]:
    with made.stack.broker.client() as broker:
        stats: Any = broker.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()})


def _per_upload(commands: Counter[str]) -> dict[str, int]:
    return {
        name: round(calls / UPLOADS)
        for name, calls in sorted(commands.items())
        if round(calls / UPLOADS)
    }
