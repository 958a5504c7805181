"""The backlog: whether requests are worked off, and by which workers."""

from collections.abc import Iterator

from celery import Celery
from sqlalchemy import Engine

from domain.attention import ProblemCode, find_problems, standstill
from domain.durations import age
from domain.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    SqlUnavailableError,
    StandstillError,
)
from domain.pipeline_status import BrokerStatus, DatabaseStatus, Phase, PipelineStatus, count, first
from tasks.contract import BATCHES, UPKEEP
from worker.diagnosis.consumers import queue_names, read_broker
from worker.diagnosis.findings import Finding, error, ok, warning
from worker.settings import AttemptSettings, load
from worker.sql.status import SqlStatus

_WAITING = (Phase.DUE, Phase.EXPIRED)
# Each of these is looked at by a check of its own.
_ELSEWHERE = {ProblemCode.BROKER_AWAY}


def read_status(engine: Engine, app: Celery) -> PipelineStatus:
    """Read the whole status; a broker that does not answer leaves its part out.

    Raises:
        SqlUnavailableError: the database does not answer.
        ConfigurationError: the tables are missing, or a setting is wrong.
    """
    database = SqlStatus(engine, load(AttemptSettings).breaker_failures).read()
    return PipelineStatus(
        database=database,
        broker=_read_broker(app, database),
        queues=queue_names(app),
        upkeep_queue=UPKEEP,
        batch_queue=BATCHES,
    )


def examine_backlog(engine: Engine, app: Celery) -> Iterator[Finding]:
    """Examine who works off what; a server that does not answer is reported by its own check."""
    try:
        status = read_status(engine, app)
    except (SqlUnavailableError, ConfigurationError):
        return
    if status.broker is None:
        return
    problems = [each for each in find_problems(status) if each.code not in _ELSEWHERE]
    for problem in problems:
        make = error if problem.is_error else warning
        check = problem.code.replace("_", " ")
        yield make(check, problem.what, why=problem.why, mend=problem.fix)
    if not problems:
        yield ok("backlog", _backlog(status.database))
        yield ok("workers", _workers(status.broker))


def reach_backlog(engine: Engine, app: Celery) -> None:
    """Check that outstanding work is done.

    Raises:
        StandstillError: work is outstanding, and stands still.
        SqlUnavailableError: the database does not answer.
    """
    stops = standstill(read_status(engine, app))
    if stops:
        raise StandstillError("; ".join(f"{each.what} (fix: {each.fix})" for each in stops))


def _read_broker(app: Celery, database: DatabaseStatus) -> BrokerStatus | None:
    needed = {each.queue for each in database.transfers if each.phase in _WAITING}
    try:
        return read_broker(app, needed)
    except BrokerUnavailableError:
        return None


def _backlog(database: DatabaseStatus) -> str:
    due = count(database.transfers, *_WAITING)
    since = first(database.transfers, *_WAITING)
    oldest = "" if since is None else f", the first for {age(database.now - since)}"
    quarantined = sum(each.quarantined for each in database.failures)
    return f"{due:,} transfers are due{oldest}; {quarantined:,} are in quarantine"


def _workers(broker: BrokerStatus) -> str:
    queues = sorted({queue for worker in broker.workers for queue in worker.queues})
    return f"{len(broker.workers)} answer, for the queues: {', '.join(queues) or 'none'}"
