"""The overview, from one look at the database and what is known of the broker."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from artifact_pipeline.domain.maintenance.attention import ProblemCode, find_problems
from artifact_pipeline.domain.maintenance.pipeline_status import (
    AuditStatus,
    BrokerStatus,
    DatabaseStatus,
    EndpointFailures,
    Phase,
    PipelineStatus,
    TransferGroup,
    count,
    first,
)
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.diagnosis.backlog import status_of
from artifact_pipeline.worker.metrics.workers import SeenWorker
from artifact_pipeline.worker.web.api.models.base import Missing, Part
from artifact_pipeline.worker.web.api.models.overview import (
    Audit,
    Backlog,
    Breaker,
    BreakerOf,
    KindBacklog,
    NeedsHand,
    Overview,
    QuarantinedReason,
    QueueBacklog,
    Throughput,
    Unverified,
    WaitingRetries,
    Worker,
)
from artifact_pipeline.worker.web.reads.broker import BrokerView

_WAITING = (Phase.DUE, Phase.EXPIRED)


def overview_of(
    database: DatabaseStatus | None,
    throughput: Sequence[Throughput],
    broker: BrokerView,
    queues: Sequence[str],
    why: str = "",
) -> Overview:
    """Return the overview of what is known.

    Args:
        database: None if it does not answer.
        throughput: the charts.
        broker: what is known of it.
        queues: all queues, in the order in which they are shown.
        why: why the database does not answer.
    """
    missing = list(_missing(database, broker, why))
    if database is None:
        return _without_database(missing, broker, queues)
    status = status_of(database, broker.status, queues)
    return Overview(
        at=database.now,
        missing=missing,
        needs_hand=_needs_hand(status, broker),
        queues=[_queue(status, broker, queue) for queue in status.queues],
        kinds=[
            KindBacklog(kind=kind, **_backlog(database, database.of_kind(kind)))
            for kind in ArtifactKind
        ],
        retries=[
            WaitingRetries(
                queue=each.queue,
                kind=each.kind,
                reason=each.reason,
                transfers=each.transfers,
                next_at=each.since,
            )
            for each in database.transfers
            if each.reason is not None
        ],
        throughput=list(throughput),
        quarantine=[
            QuarantinedReason(
                reason=each.reason,
                quarantined=each.quarantined,
                last_hour=each.recent,
                last_at=each.last_at,
            )
            for each in database.failures
        ],
        breakers=[
            *_breakers(BreakerOf.STORE, database.endpoints),
            *_breakers(BreakerOf.WORKSPACE, database.workspaces),
        ],
        batches=list(database.batches),
        requesters=list(database.requesters),
        unverified=database.unverified
        and Unverified(transfers=database.unverified.transfers, since=database.unverified.since),
        audit=_audit(database.audit),
        workers=workers_of(broker.workers),
        **_of_broker(status.broker),
    )


def workers_of(workers: Sequence[SeenWorker] | None) -> list[Worker] | None:
    """Return the workers; None if they were not asked yet."""
    if workers is None:
        return None
    return [
        Worker(
            name=each.name,
            queues=list(each.queues),
            processes=each.processes,
            tasks=each.tasks,
            is_up=each.is_up,
        )
        for each in workers
    ]


def missing_broker(broker: BrokerView) -> list[Missing]:
    """Return that the broker, or the workers, have not answered, if so."""
    if broker.status is None:
        return [Missing(part=Part.BROKER, why=broker.why, is_awaited=broker.is_awaited)]
    if broker.awaits_workers:
        return [Missing(part=Part.WORKERS, why="they are being asked", is_awaited=True)]
    return []


def _without_database(
    missing: list[Missing], broker: BrokerView, queues: Sequence[str]
) -> Overview:
    messages = broker.status.messages if broker.status else {}
    return Overview(
        at=datetime.now(UTC),
        missing=missing,
        queues=[QueueBacklog(queue=queue, messages=messages.get(queue)) for queue in queues],
        workers=workers_of(broker.workers),
        **_of_broker(broker.status),
    )


def _missing(database: DatabaseStatus | None, broker: BrokerView, why: str) -> Iterable[Missing]:
    if database is None:
        yield Missing(part=Part.DATABASE, why=why)
    yield from missing_broker(broker)


def _needs_hand(status: PipelineStatus, broker: BrokerView) -> list[NeedsHand]:
    # Without the workers' answers no queue would seem to have a worker.
    found = find_problems(replace(status, broker=None) if broker.awaits_workers else status)
    # It is no problem that the broker or the workers were not asked yet.
    is_away = broker.is_away
    shown = [each for each in found if is_away or each.code is not ProblemCode.BROKER_AWAY]
    return [NeedsHand(**asdict(each)) for each in shown]


def _queue(status: PipelineStatus, broker: BrokerView, queue: str) -> QueueBacklog:
    known, database = status.broker, status.database
    return QueueBacklog(
        queue=queue,
        messages=None if known is None else known.messages.get(queue, 0),
        workers=None if broker.workers is None or known is None else known.listening_to(queue),
        **_backlog(database, database.of_queue(queue, *Phase)),
    )


def _backlog(database: DatabaseStatus, groups: Sequence[TransferGroup]) -> dict[str, object]:
    since = first(groups, *_WAITING)
    age = None if since is None else max(0.0, (database.now - since).total_seconds())
    backlog = Backlog(
        **{phase.value: count(groups, phase) for phase in Phase},
        late=sum(each.late for each in groups),
        oldest_due_at=since,
        oldest_due_seconds=age,
    )
    return backlog.model_dump()


def _breakers(of: BreakerOf, failures: Iterable[EndpointFailures]) -> Iterable[Breaker]:
    for each in failures:
        yield Breaker(
            of=of,
            endpoint=each.endpoint,
            failures=each.failures,
            failed_at=each.failed_at,
            is_open=each.is_open,
        )


def _audit(audit: AuditStatus | None) -> Audit | None:
    if audit is None:
        return None
    return Audit(
        is_running=audit.is_running,
        started_at=audit.started_at,
        counts=audit.counts,
        finished_at=audit.finished_at,
        result=audit.result,
    )


def _of_broker(status: BrokerStatus | None) -> dict[str, object]:
    if status is None:
        return {}
    return {
        "dispatched_at": status.dispatched_at,
        "dead_letters": status.refused,
        "stray_queues": status.strays,
    }
