"""The metrics of the broker, and of the workers that listen to it."""

from collections.abc import Collection, Iterator
from datetime import datetime
from math import inf

from celery import Celery
from prometheus_client import Metric

from artifact_pipeline.domain.maintenance.pipeline_metrics import BrokerMetrics
from artifact_pipeline.tasks.dead_letters import count_dead_letters
from artifact_pipeline.tasks.last_dispatch import last_dispatch
from artifact_pipeline.tasks.publish import broker_channel, queue_depths
from artifact_pipeline.tasks.routing import workspace_of_queue
from artifact_pipeline.worker.diagnosis.consumers import queue_names
from artifact_pipeline.worker.metrics import catalogue
from artifact_pipeline.worker.metrics.families import Labels, family
from artifact_pipeline.worker.metrics.workers import SeenWorker


def read_broker_metrics(app: Celery) -> BrokerMetrics:
    """Read the broker's part.

    Raises:
        BrokerUnavailableError: the broker does not answer.
        BrokerRefusedError: it refuses this user, password or database.
    """
    with broker_channel(app) as channel:
        return BrokerMetrics(
            messages=queue_depths(channel, queue_names(app)),
            dead_letters=count_dead_letters(channel),
            dispatched_at=last_dispatch(channel),
        )


def metrics_of_broker(broker: BrokerMetrics, now: datetime | None) -> Iterator[Metric]:
    """Yield them.

    Args:
        broker: what was read just now.
        now: by the database's clock, by which a dispatch notes its end; None if it is away.
    """
    if now is not None:
        yield family(catalogue.DISPATCH_LAG, {(): _lag(broker.dispatched_at, now)})
    yield family(catalogue.DEAD_LETTERS, {(): broker.dead_letters})
    messages: dict[Labels, float] = {(queue,): depth for queue, depth in broker.messages.items()}
    yield family(catalogue.QUEUE_LENGTH, messages)


def _lag(dispatched_at: datetime | None, now: datetime) -> float:
    return inf if dispatched_at is None else max((now - dispatched_at).total_seconds(), 0.0)


def metrics_of_workers(
    workers: Collection[SeenWorker], queues: Collection[str], workspaces: Collection[str] = ()
) -> Iterator[Metric]:
    """Yield them.

    Args:
        workers: that have answered.
        queues: that are shown even if no worker listens to them.
        workspaces: that are shown even if no worker serves them.
    """
    up = [each for each in workers if each.is_up]
    yield family(catalogue.WORKER_UP, {(each.name,): float(each.is_up) for each in workers})
    yield family(catalogue.WORKER_TASKS, {(each.name,): each.tasks for each in up})
    names = dict.fromkeys((*queues, *(queue for each in up for queue in each.queues)))
    listening = {queue: [each for each in up if queue in each.queues] for queue in names}
    yield family(
        catalogue.ACTIVE_WORKERS, {(queue,): len(each) for queue, each in listening.items()}
    )
    yield family(
        catalogue.ACTIVE_PROCESSES,
        {(queue,): sum(one.processes for one in each) for queue, each in listening.items()},
    )
    yield family(catalogue.WORKSPACE_WORKERS, _serving(up, workspaces))


def _serving(workers: Collection[SeenWorker], workspaces: Collection[str]) -> dict[Labels, float]:
    found: dict[Labels, float] = {(name,): 0 for name in workspaces}
    for worker in workers:
        for name in {workspace_of_queue(queue) for queue in worker.queues} - {None}:
            found[str(name),] = found.get((str(name),), 0) + 1
    return found
