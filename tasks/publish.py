"""Publishing the messages of transfers that SQL knows of."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from celery import Celery

from artifact_pipeline.domain.model.kinds import SMALL_KINDS, ArtifactKind
from artifact_pipeline.domain.model.trace_headers import parse
from artifact_pipeline.domain.model.transfers import Direction, QueueCapacity, Transfer
from artifact_pipeline.tasks.app import ensure_configured, pipeline_app
from artifact_pipeline.tasks.broker_connections import (
    broker_connection,
    broker_producer,
    collected_if_silent,
    confirm_seconds,
    pooled_connection,
)
from artifact_pipeline.tasks.broker_records import records_of
from artifact_pipeline.tasks.message_templates import Outgoing, fill_and_send
from artifact_pipeline.tasks.routing import (
    BATCH_HEADER,
    BATCHES,
    CONFIGS,
    DISPATCH,
    RECORDED_HEADER,
    UPKEEP,
    UPLOAD_JOB,
    WRITE_MANIFEST,
    ids_of,
    queue_in,
    queue_of,
    queue_of_transfer,
    task_name,
)
from artifact_pipeline.tasks.sendable import message_id

_MOST_ALONE = 32
"""So many small uploads of a job have a message each: more would wait behind each other."""
_UPLOADS_A_MESSAGE = 128
_MOST_OF_A_JOB = 8
"""Messages for a job's small uploads. So many workers share them."""


def publish(
    transfers: Sequence[Transfer],
    app: Celery | None = None,
    *,
    of_jobs: Collection[int] = (),
) -> None:
    """Send each transfer's message: its ids, under its request id however often it is sent.

    Args:
        transfers: sent together, so that a page costs a few round trips.
        app: by default the one that `producer_app` made, else the current one.
        of_jobs: ids of jobs whose small uploads have a few messages together, if they are many.

    Raises:
        ProducerNotConfiguredError: there is no broker to send to.
        BrokerUnavailableError: the broker does not answer; SQL still has the requests.
    """
    app = app or pipeline_app()
    ensure_configured(app)
    _send(list(messages_of(transfers, of_jobs)), app)


def publish_of_jobs(job_ids: Iterable[int], app: Celery, workspace: str | None = None) -> None:
    """Send one message for all small uploads of each job in the workspace. Raises: as `publish`."""
    queue = queue_in(CONFIGS, workspace)
    _send([_message_of_job(UPLOAD_JOB, job_id, queue) for job_id in job_ids], app)


def publish_manifests(job_ids: Iterable[int], app: Celery) -> None:
    """Ask for the manifest of each job, behind all other work. Raises: as `publish`."""
    _send([_message_of_job(WRITE_MANIFEST, job_id, BATCHES) for job_id in job_ids], app)


def _send(messages: Sequence[Outgoing], app: Celery) -> None:
    # A pool of producers would give one that looks up more than ready-made messages need.
    with pooled_connection(app) as connection:
        if fill_and_send(messages, app, connection.default_channel):
            return
        producer: Any = app.amqp.Producer(connection)
        with collected_if_silent(connection), producer.batch():
            for message in messages:
                message.send(app, producer, confirm_timeout=confirm_seconds(app))


def messages_of(transfers: Iterable[Transfer], of_jobs: Collection[int]) -> Iterator[Outgoing]:
    """Yield the messages that `publish` sends."""
    together: dict[tuple[int, str | None], list[Transfer]] = {}
    for transfer in transfers:
        if transfer.artifact.job_id in of_jobs and _is_small_upload(transfer):
            job = transfer.artifact.job_id, transfer.workspace
            together.setdefault(job, []).append(transfer)
        else:
            yield _message_of(transfer)
    for (job_id, workspace), uploads in together.items():
        if len(uploads) <= _MOST_ALONE:
            yield from map(_message_of, uploads)
        else:
            count = min(_MOST_OF_A_JOB, -(-len(uploads) // _UPLOADS_A_MESSAGE))
            queue = queue_in(CONFIGS, workspace)
            yield from (_message_of_job(UPLOAD_JOB, job_id, queue) for _ in range(count))


def _is_small_upload(transfer: Transfer) -> bool:
    is_small = transfer.artifact.kind in SMALL_KINDS
    return is_small and transfer.direction is Direction.UPLOAD and transfer.batch_id is None


def _message_of_job(task: str, job_id: int, queue: str) -> Outgoing:
    return Outgoing(
        task=task,
        queue=queue,
        task_id=str(uuid4()),
        ids={"job_id": job_id},
        headers={RECORDED_HEADER: 1},
    )


def _message_of(transfer: Transfer) -> Outgoing:
    return Outgoing(
        task=task_name(transfer.direction, transfer.artifact.kind),
        queue=queue_of_transfer(transfer),
        task_id=message_id(transfer.request_id),
        ids=ids_of(transfer.direction, transfer.artifact),
        headers=_headers(transfer),
    )


def ask_for_dispatch(app: Celery) -> None:
    """Have the next sweep now.

    Raises:
        BrokerUnavailableError: the broker does not answer; beat asks for it soon.
    """
    with broker_producer(app) as producer:
        app.send_task(
            DISPATCH,
            queue=UPKEEP,
            producer=producer,
            retry=False,
            ignore_result=True,
            confirm_timeout=confirm_seconds(app),
        )


def ask_if_drained(app: Celery, workspace: str | None = None) -> None:
    """Have the next sweep now if workers have nothing of the batches left, and none is on its way.

    Args:
        app: whose broker.
        workspace: of the workers.

    Raises:
        BrokerUnavailableError: the broker does not answer; beat asks for it soon.
    """
    with pooled_connection(app) as connection:
        channel = connection.default_channel
        queues = queue_in(BATCHES, workspace), UPKEEP
        is_drained = not any(records_of(channel).depth(queue) for queue in queues)
    if is_drained:
        ask_for_dispatch(app)


def room(limit: int, app: Celery, workspace: str | None = None) -> QueueCapacity:
    """Return the workspace's queues that hold fewer messages than the limit.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    queues = {BATCHES, *(queue_of(kind) for kind in ArtifactKind)}
    with broker_channel(app) as channel:
        records = records_of(channel)
        depths = {queue: records.depth(queue_in(queue, workspace)) for queue in queues}
    with_room = {queue for queue, depth in depths.items() if depth < limit}
    kinds = frozenset(kind for kind in ArtifactKind if queue_of(kind) in with_room)
    return QueueCapacity(kinds=kinds, batches=BATCHES in with_room)


def broker_epoch(clock: Callable[[], datetime], app: Celery) -> datetime:
    """Return since when the broker has lost nothing.

    Args:
        clock: of the answers.
        app: whose broker.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        return records_of(channel).epoch(clock)


def queue_depths(channel: Any, queues: Iterable[str]) -> dict[str, int]:  # noqa: ANN401
    """Return how many messages each queue holds."""
    return {queue: records_of(channel).depth(queue) for queue in queues}


def _headers(transfer: Transfer) -> dict[str, int | str]:
    batch = {BATCH_HEADER: transfer.batch_id} if transfer.batch_id else {}
    return {RECORDED_HEADER: 1, **batch, **parse(transfer.trace_headers)}


@contextmanager
def broker_channel(app: Celery) -> Iterator[Any]:
    """Open a channel.

    Raises:
        BrokerUnavailableError: the broker does not answer.
        BrokerRefusedError: it refuses this user, password or database.
    """
    with broker_connection(app) as connection:
        yield connection.default_channel
