"""Thousands of transfers under random faults, and the audit after them."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from celery import Celery
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from artifact_pipeline.domain.model.quarantine import QuarantineFilter
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, TransferState
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.keys import use_broker
from artifact_pipeline.tasks.routing import RECONCILE
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.quarantine import SqlQuarantine
from tests.faults.audit import Finding, findings, open_uploads
from tests.faults.chaos import Chaos
from tests.faults.fleet import Fleet, fleet
from tests.faults.load import Load
from tests.faults.producer import BareRequests, ask_for
from tests.sql.producer import producing_to

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_IGNORED = re.compile(r"Task artifacts\.upload_\S+ succeeded in .*: \{'state': '\w+'\}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to happen.

    Attributes:
        pause: seconds between two faults.
        chaos: for how many seconds faults go on at the most.
        patience: seconds for what must come about afterwards.
        broker: one of `BROKERS`.
        only: names of the faults; by default all.
        is_spread: requests come while each fault is inflicted once, not all at the beginning.
    """

    load: Load
    workers: int
    pause: float
    chaos: float
    patience: float
    is_spread: bool = False
    broker: str = "valkey"
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Report:
    broker: str
    seed: int
    small: int
    large: int
    large_bytes: int
    requested: int
    done: int
    seconds: float
    faults: dict[str, int]
    s3_faults: dict[str, int]
    attempts: int
    attempts_at_most: int
    duplicates_sent: int
    duplicates_ignored: int
    quarantined_and_retried: int
    events: int
    event_deliveries: int
    findings: list[Finding]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def run(plan: Plan, directory: Path) -> Report:
    """Inflict the faults of the plan, wait until all has ended, and look at what is there."""
    started = time.monotonic()
    with fleet(directory, plan.workers, plan.broker) as servers:
        jobs = list(plan.load.jobs())
        wanted = [one for job in jobs for one in job.wanted]
        for one in wanted:
            one.write(servers.workspace)
        servers.start()
        chaos = Chaos(servers, plan.load.seed, plan.pause, plan.only)
        chaos.start()
        try:
            bare = _bare_requests(servers, chaos)
            with producing_to(servers.broker.broker) as app:
                for number, job in enumerate(jobs):
                    if plan.is_spread:
                        _wait(partial(chaos.has_done, number / len(jobs)), plan.chaos)
                    ask_for(servers.engine, app, job)
                    bare.send(job)
            logger.info("%d transfers are asked for", len(wanted))
            _wait(lambda: _is_idle(servers, bare) and chaos.has_done(1), plan.chaos)
        finally:
            chaos.stop()
        _wait(bare.are_received, plan.patience)
        retried = _bring_to_an_end(servers, plan.patience)
        attempts, most = _attempts(servers)
        return Report(
            broker=plan.broker,
            **asdict(plan.load),
            requested=len(wanted),
            done=_done(servers),
            seconds=round(time.monotonic() - started, 1),
            faults=dict(chaos.done),
            s3_faults={fault.name: n for fault, n in servers.faulty_s3.injected.items()},
            attempts=attempts,
            attempts_at_most=most,
            duplicates_sent=chaos.duplicates,
            duplicates_ignored=sum(len(_IGNORED.findall(log.read_text())) for log in servers.logs),
            quarantined_and_retried=retried,
            events=len(servers.receiver.events),
            event_deliveries=servers.receiver.deliveries.total(),
            findings=findings(servers, wanted),
        )


def _bare_requests(servers: Fleet, chaos: Chaos) -> BareRequests:
    """Return requests by an app that knows only the broker."""
    foreign = Celery("foreign", set_as_current=False)
    use_broker(foreign, servers.broker.broker)
    foreign.conf.task_ignore_result = True
    foreign.conf.task_create_missing_queue_type = "quorum"  # of RabbitMQ alone
    forgets = servers.broker.forgets
    return BareRequests(servers.engine, foreign, lambda: sum(chaos.done[name] for name in forgets))


def _is_idle(servers: Fleet, bare: BareRequests) -> bool:
    return _active(servers) == 0 and bare.are_received()


def _bring_to_an_end(servers: Fleet, patience: float) -> int:
    """What an operator does after such a night; how many had to be taken out of quarantine."""
    retried = 0
    quarantine = SqlQuarantine(servers.engine)
    while True:
        _wait(lambda: _active(servers) == 0, patience)
        again = quarantine.retry(QuarantineFilter()).retried
        if not again:
            break
        retried += again
    outbox = SqlEventOutbox(servers.engine)
    outbox.redeliver()
    _wait(lambda: not outbox.backlog(), patience)
    for beat in servers.beats:
        beat.kill()
    app = make_app(servers.broker.direct)

    def is_clean() -> bool:
        if open_uploads(servers):
            app.send_task(RECONCILE)
        return not open_uploads(servers) and not any(servers.broker.messages().values())

    _wait(is_clean, patience)
    return retried


def _active(servers: Fleet) -> int:
    statement = select(func.count()).where(TransferRow.state.in_(ACTIVE_STATES))
    try:
        with servers.engine.connect() as connection:
            return connection.scalar(statement) or 0
    except SQLAlchemyError:
        return -1  # not known just now


def _done(servers: Fleet) -> int:
    statement = select(func.count()).where(TransferRow.state == TransferState.DONE)
    with servers.engine.connect() as connection:
        return connection.scalar(statement) or 0


def _attempts(servers: Fleet) -> tuple[int, int]:
    statement = select(func.sum(TransferRow.attempts), func.max(TransferRow.attempts))
    with servers.engine.connect() as connection:
        total, most = connection.execute(statement).one()
    return int(total or 0), int(most or 0)


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    """Until it is so, or the time is over: the audit says what is wrong then."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
