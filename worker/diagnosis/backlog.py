"""The backlog: whether requests are worked off, and by which workers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from celery import Celery
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    SqlUnavailableError,
    StandstillError,
)
from artifact_pipeline.domain.maintenance.attention import find_problems, standstill
from artifact_pipeline.domain.maintenance.pipeline_status import (
    BrokerStatus,
    DatabaseStatus,
    Phase,
    PipelineStatus,
    WorkerQueues,
    count,
    first,
)
from artifact_pipeline.domain.maintenance.problems import Problem, ProblemCode
from artifact_pipeline.domain.model.durations import age
from artifact_pipeline.tasks.routing import BATCHES, UPKEEP, workspace_of_queue
from artifact_pipeline.worker.diagnosis.consumers import databases_of, queue_names, read_broker
from artifact_pipeline.worker.diagnosis.findings import Finding, error, ok, warning
from artifact_pipeline.worker.settings import AttemptSettings, load
from artifact_pipeline.worker.sql.database_id import read_database_id
from artifact_pipeline.worker.sql.status import SqlStatus

_WAITING = (Phase.DUE, Phase.EXPIRED)
_CHECKS = {
    ProblemCode.NO_DISPATCH: "dispatch",
    ProblemCode.NO_WORKER: "workers",
    ProblemCode.WORKSPACE_UNSERVED: "workspaces",
    ProblemCode.STUCK: "backlog",
    ProblemCode.BEHIND: "backlog",
    ProblemCode.LEASE_EXPIRED: "backlog",
    ProblemCode.STORE_BREAKER_OPEN: "S3 breaker",
    ProblemCode.WORKSPACE_BREAKER_OPEN: "workspace breaker",
    ProblemCode.QUARANTINED: "quarantine",
    ProblemCode.EVENTS_LATE: "events",
    ProblemCode.EVENTS_REFUSED: "events",
}
"""The check that reports each problem; `examine_broker` reports a broker that is away."""


def read_status(
    engine: Engine,
    app: Celery,
    *,
    with_strays: bool = True,
    workers: Sequence[WorkerQueues] = (),
) -> PipelineStatus:
    """Read the whole status; a broker that does not answer leaves its part out.

    Args:
        engine: of the database.
        app: of the broker.
        with_strays: look for mistyped queues too, which reads the names of all the broker's keys.
        workers: those that have just answered, which are not asked again.

    Raises:
        SqlUnavailableError: the database does not answer.
        ConfigurationError: the tables are missing, or a setting is wrong.
    """
    database = SqlStatus(engine, load(AttemptSettings).breaker_failures).read()
    broker = _read_broker(app, database, with_strays=with_strays, workers=workers)
    return status_of(database, broker, queue_names(app))


def status_of(
    database: DatabaseStatus, broker: BrokerStatus | None, queues: Sequence[str]
) -> PipelineStatus:
    """Return the status, with the queues of workspaces that have a name.

    Args:
        database: its part.
        broker: its part; a queue of a workspace among its strays is counted as what it is.
        queues: those that every deployment has.
    """
    strays = broker.strays if broker else {}
    named = {queue: name for queue in strays if (name := workspace_of_queue(queue))}
    if broker is not None:
        broker = replace(
            broker,
            messages={**{queue: strays[queue] for queue in named}, **broker.messages},
            strays={queue: held for queue, held in strays.items() if queue not in named},
        )
    named |= {each.queue: each.workspace for each in database.transfers if each.workspace}
    return PipelineStatus(
        database=database,
        broker=broker,
        queues=[*queues, *sorted(named)],
        upkeep_queue=UPKEEP,
        batch_queue=BATCHES,
        workspaces=named,
    )


def examine_backlog(engine: Engine, app: Celery) -> Iterator[Finding]:
    """Examine who works off what; a server that does not answer is reported by its own check."""
    try:
        status = read_status(engine, app)
    except (SqlUnavailableError, ConfigurationError):
        return
    if status.broker is None:
        return
    if status.broker.workers:
        yield _neighbours(databases_of(app, status.broker.workers), read_database_id(engine))
    problems = find_problems(status)
    for check, is_well in _well(status.database, status.broker).items():
        of_check = [each for each in problems if _CHECKS[each.code] == check]
        yield from map(partial(_finding, check), of_check)
        if not of_check:
            yield ok(check, is_well)


def reach_backlog(engine: Engine, app: Celery) -> None:
    """Check that outstanding work is done.

    Raises:
        StandstillError: work is outstanding, and stands still.
        SqlUnavailableError: the database does not answer.
    """
    stops = standstill(read_status(engine, app, with_strays=False))
    if stops:
        raise StandstillError("; ".join(f"{each.what} (fix: {each.fix})" for each in stops))


def _read_broker(
    app: Celery,
    database: DatabaseStatus,
    *,
    with_strays: bool,
    workers: Sequence[WorkerQueues],
) -> BrokerStatus | None:
    needed = {each.queue for each in database.transfers if each.phase in _WAITING}
    named = database.named_queues
    try:
        return read_broker(app, needed, named=named, with_strays=with_strays, workers=workers)
    except BrokerUnavailableError:
        return None


def _neighbours(databases: Mapping[str, str | None], own: str | None) -> Finding:
    foreign = sorted(name for name, theirs in databases.items() if theirs and own != theirs)
    if own is None or not foreign:
        return ok("workers' database", "no worker of another database listens to these queues")
    return error(
        "workers' database",
        f"workers of another database listen to these queues: {', '.join(foreign)}",
        why="they take messages of requests that only this database has, and refuse or repeat them",
        fix="give each environment an ARTIFACTS_BROKER_PREFIX of its own, or another database of"
        " the broker",
    )


def _finding(check: str, problem: Problem) -> Finding:
    make = error if problem.is_error else warning
    return make(check, problem.what, why=problem.why, fix=problem.fix)


def _well(database: DatabaseStatus, broker: BrokerStatus) -> dict[str, str]:
    """Return the text of each check that has no problem."""
    dispatched_at = broker.dispatched_at or database.now
    quarantined = sum(each.quarantined for each in database.failures)
    return {
        "dispatch": f"the last one ended {age(database.now - dispatched_at)} ago",
        "workers": _workers(broker),
        "workspaces": "a worker serves each one that has work",
        "backlog": _backlog(database),
        "S3 breaker": "it is closed",
        "workspace breaker": "it is closed",
        "quarantine": f"{quarantined:,} transfers, none of them from the last hour",
        "events": f"{sum(each.waiting for each in database.events):,} wait for their delivery",
    }


def _backlog(database: DatabaseStatus) -> str:
    due = count(database.transfers, *_WAITING)
    since = first(database.transfers, *_WAITING)
    oldest = "" if since is None else f", the first for {age(database.now - since)}"
    return f"{due:,} transfers are due{oldest}"


def _workers(broker: BrokerStatus) -> str:
    if not broker.has_control:
        return "they cannot be asked: this broker has no remote control"
    queues = sorted({queue for worker in broker.workers for queue in worker.queues})
    return f"{len(broker.workers)} answer, for the queues: {', '.join(queues) or 'none'}"
