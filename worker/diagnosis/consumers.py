"""The queues in the broker, and the workers that listen to them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from celery import Celery

from artifact_pipeline.domain.maintenance.pipeline_status import BrokerStatus, WorkerQueues
from artifact_pipeline.tasks.dead_letters import count_dead_letters
from artifact_pipeline.tasks.last_dispatch import last_dispatch
from artifact_pipeline.tasks.publish import broker_channel, queue_depths
from artifact_pipeline.tasks.routing import workspace_of_queue
from artifact_pipeline.worker.diagnosis.stray_queues import find_stray_queues
from artifact_pipeline.worker.messages.answers import COMMAND

_ANSWER_SECONDS = 1.0
# A worker on a busy machine answers late, and must not count as missing.
_LATE_ANSWER_SECONDS = 3.0


def queue_names(app: Celery) -> list[str]:
    """Return the queues of the pipeline, in the order of their configuration."""
    return [queue.name for queue in app.conf.task_queues]


def read_broker(
    app: Celery, needed: Collection[str] = (), *, with_strays: bool = False
) -> BrokerStatus:
    """Ask the broker for its queues, and the workers for the queues that they listen to.

    Args:
        app: of the broker.
        needed: queues with work, also of workspaces with a name. If no worker seems to listen to
            one of them, or to a queue with messages, the workers get more time to answer.
        with_strays: look for mistyped queues too, which reads the names of all keys.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        named = sorted(queue for queue in needed if workspace_of_queue(queue))
        status = _queues_of(app, channel, named, with_strays=with_strays)
        has_work = {*needed, *(queue for queue, depth in status.messages.items() if depth)}
        connection = channel.connection.client
        workers = _workers(app, connection, _ANSWER_SECONDS)
        if has_work - {queue for worker in workers for queue in worker.queues}:
            workers = _workers(app, connection, _LATE_ANSWER_SECONDS)
    return replace(status, workers=workers)


def read_queues(app: Celery, *, with_strays: bool = False) -> BrokerStatus:
    """Ask the broker for its queues, and no worker for anything, which takes seconds.

    Args: as `read_broker`.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        return _queues_of(app, channel, with_strays=with_strays)


def _queues_of(
    app: Celery,
    channel: Any,  # noqa: ANN401 - a kombu channel
    named: Sequence[str] = (),
    *,
    with_strays: bool,
) -> BrokerStatus:
    queues = [*queue_names(app), *named]
    return BrokerStatus(
        messages=queue_depths(channel, queues),
        strays=find_stray_queues(channel, queues) if with_strays else {},
        dispatched_at=last_dispatch(channel),
        refused=count_dead_letters(channel),
    )


def databases_of(app: Celery, workers: Collection[WorkerQueues]) -> dict[str, str | None]:
    """Ask the workers which databases they work for; return the ids by the workers' names.

    Workers of earlier versions do not answer.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        answers: Any = app.control.broadcast(
            COMMAND,
            reply=True,
            timeout=_ANSWER_SECONDS,
            limit=len(workers),
            connection=channel.connection.client,
        )
    return {
        name: answer["database"]
        for each in answers or ()
        for name, answer in each.items()
        if isinstance(answer, dict) and "database" in answer
    }


def ask_workers(app: Celery, *questions: str) -> list[dict[str, Any]]:
    """Ask all workers each question; return each one's answers by the workers' names.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        connection = channel.connection.client
        return [_answers(app, connection, question, _ANSWER_SECONDS) for question in questions]


def _answers(app: Celery, connection: Any, question: str, seconds: float) -> dict[str, Any]:  # noqa: ANN401
    answers: Any = app.control.broadcast(
        question, reply=True, timeout=seconds, connection=connection
    )
    return {name: of_worker for each in answers or () for name, of_worker in each.items()}


def _workers(app: Celery, connection: Any, seconds: float) -> list[WorkerQueues]:  # noqa: ANN401
    found = _listening(_answers(app, connection, "active_queues", seconds))
    return sorted(found, key=lambda worker: worker.name)


def _listening(answers: dict[str, Any]) -> Iterator[WorkerQueues]:
    for name, queues in answers.items():
        # An error of the worker is an object instead of a list.
        if isinstance(queues, list):
            yield WorkerQueues(name=name, queues=[queue["name"] for queue in queues])
