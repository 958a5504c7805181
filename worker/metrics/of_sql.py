"""The metrics whose figures are in SQL."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from prometheus_client import Metric

from artifact_pipeline.domain.maintenance.pipeline_metrics import (
    ActiveGroup,
    DatabaseMetrics,
    Distribution,
    EndedFigures,
    EndedKey,
    TableFigures,
)
from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.queued_events import EventBacklog
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks.routing import BATCHES, queue_of
from artifact_pipeline.worker.metrics import catalogue
from artifact_pipeline.worker.metrics.families import Labels, family, histogram

_QUEUES = tuple(dict.fromkeys((*map(queue_of, ArtifactKind), BATCHES)))


def metrics_of_sql(
    database: DatabaseMetrics, ended: Mapping[EndedKey, EndedFigures]
) -> Iterator[Metric]:
    """Yield them.

    Args:
        database: what was read just now.
        ended: all that has ended since the exporter started.
    """
    yield from _of_active(database)
    yield from _of_workspaces(database)
    yield from _of_ended(ended)
    yield from _of_counts(database)
    yield from _of_events(database.events)
    yield from _of_tables(database.tables)


def _of_active(database: DatabaseMetrics) -> Iterator[Metric]:
    groups = database.active
    for spec, phase in (
        (catalogue.BACKLOG, Phase.DUE),
        (catalogue.IN_FLIGHT, Phase.RUNNING),
        (catalogue.SCHEDULED, Phase.SCHEDULED),
    ):
        yield family(spec, _by_kind(groups, phase, lambda each: each.transfers))

    def age(group: ActiveGroup) -> float:
        return max(database.now - group.since, timedelta(0)).total_seconds()

    yield family(catalogue.BACKLOG_AGE, _by_kind(groups, Phase.DUE, age))
    yield family(catalogue.RETRIES, _retries(groups))
    expiring = _by_queue(groups, Phase.RUNNING, lambda each: each.expiring)
    yield family(catalogue.EXPIRING, _summed(expiring))
    expired = _by_queue(groups, Phase.EXPIRED, lambda each: each.transfers)
    yield family(catalogue.EXPIRED, _summed(expired))
    oldest = _by_queue(groups, Phase.EXPIRED, age)
    yield family(catalogue.EXPIRED_AGE, {(queue,): max(ages) for queue, ages in oldest.items()})


def _by_kind(
    groups: Iterable[ActiveGroup], phase: Phase, figure: Callable[[ActiveGroup], float]
) -> dict[Labels, float]:
    """Return the figure of each kind, direction and queue; 0 where nothing is, so that sums are."""
    found: dict[Labels, float] = {
        (kind, direction, queue): 0
        for kind in ArtifactKind
        for direction in Direction
        for queue in (queue_of(kind), BATCHES)
    }
    for each in groups:
        if each.phase is phase:
            # A group has one row for each phase: no two of them are added here.
            found[each.kind, each.direction, each.queue] = figure(each)
    return found


def _by_queue(
    groups: Iterable[ActiveGroup], phase: Phase, figure: Callable[[ActiveGroup], float]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {queue: [0] for queue in _QUEUES}
    for each in groups:
        if each.phase is phase:
            found.setdefault(each.queue, [0]).append(figure(each))
    return found


def _summed(figures: Mapping[str, list[float]]) -> dict[Labels, float]:
    return {(queue,): sum(each) for queue, each in figures.items()}


def _retries(groups: Iterable[ActiveGroup]) -> dict[Labels, float]:
    found: dict[Labels, float] = {}
    for each in groups:
        if each.phase is Phase.RETRY and each.reason is not None:
            labels = (each.queue, each.reason)
            found[labels] = found.get(labels, 0) + each.transfers
    return found


def _of_workspaces(database: DatabaseMetrics) -> Iterator[Metric]:
    found = database.workspaces.items()
    backlog: dict[Labels, float] = {(name,): due.transfers for name, due in found}
    yield family(catalogue.WORKSPACE_BACKLOG, backlog)
    ages: dict[Labels, float] = {
        (name,): max(database.now - due.since, timedelta(0)).total_seconds() for name, due in found
    }
    yield family(catalogue.WORKSPACE_BACKLOG_AGE, ages)


def _of_ended(ended: Mapping[EndedKey, EndedFigures]) -> Iterator[Metric]:
    transfers: dict[Labels, float] = {}
    moved: dict[Labels, float] = {}
    for key, figures in ended.items():
        labels = (key.kind, key.direction, key.queue)
        transfers[*labels, key.outcome] = figures.transfers
        moved[labels] = moved.get(labels, 0) + figures.bytes_moved
    yield family(catalogue.ENDED, transfers)
    yield family(catalogue.MOVED, moved)
    yield histogram(catalogue.WAIT, _of_done(ended, lambda each: each.wait))
    yield histogram(catalogue.DURATION, _of_done(ended, lambda each: each.duration))
    yield histogram(catalogue.LATENCY, _of_done(ended, lambda each: each.latency))


def _of_done(
    ended: Mapping[EndedKey, EndedFigures], measure: Callable[[EndedFigures], Distribution]
) -> dict[Labels, Distribution]:
    return {
        (key.kind, key.kind.spec.size, key.direction, key.queue): measure(figures)
        for key, figures in ended.items()
        if key.outcome is TransferState.DONE
    }


def _of_counts(database: DatabaseMetrics) -> Iterator[Metric]:
    batches = {state.value: 0 for state in BatchState} | dict(database.batches)
    for spec, figures in (
        (catalogue.QUARANTINED, database.quarantined),
        (catalogue.QUARANTINED_RECENTLY, database.quarantined_recently),
        (catalogue.BATCHES, batches),
        (catalogue.BREAKERS, database.open_breakers),
        (catalogue.AUDIT_FINDINGS, database.audit_findings),
    ):
        yield family(spec, {(label,): number for label, number in figures.items()})
    yield family(catalogue.RELEASING, {(): database.releasing})
    yield family(catalogue.UNVERIFIED, {(): database.unverified})
    audited = database.audited_at
    yield family(catalogue.AUDITED, {} if audited is None else {(): audited.timestamp()})


def _of_events(events: Sequence[EventBacklog]) -> Iterator[Metric]:
    figures: tuple[tuple[catalogue.MetricSpec, Callable[[EventBacklog], float]], ...] = (
        (catalogue.EVENTS, lambda each: each.waiting),
        (catalogue.EVENTS_AGE, lambda each: each.oldest.total_seconds() if each.oldest else 0),
        (catalogue.EVENTS_REFUSED, lambda each: each.refused),
    )
    for spec, figure in figures:
        yield family(spec, {(each.target,): figure(each) for each in events})


def _of_tables(tables: Mapping[str, TableFigures]) -> Iterator[Metric]:
    figures: tuple[tuple[catalogue.MetricSpec, Callable[[TableFigures], int | None]], ...] = (
        (catalogue.ROWS, lambda table: table.rows),
        (catalogue.INSERTED, lambda table: table.inserted),
        (catalogue.DELETED, lambda table: table.deleted),
        (catalogue.TABLE_SIZE, lambda table: table.size),
    )
    for spec, figure in figures:
        known = {(name,): figure(table) for name, table in tables.items()}
        yield family(spec, {labels: value for labels, value in known.items() if value is not None})
