"""The queues in the broker, and the workers that listen to them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from celery import Celery

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.maintenance.pipeline_status import BrokerStatus, WorkerQueues
from artifact_pipeline.tasks.app import broker_urls
from artifact_pipeline.tasks.broker import URL_VARIABLE
from artifact_pipeline.tasks.broker_kinds import kind_of_url
from artifact_pipeline.tasks.dead_letters import count_dead_letters
from artifact_pipeline.tasks.last_dispatch import last_dispatch
from artifact_pipeline.tasks.publish import broker_channel, queue_depths
from artifact_pipeline.tasks.routing import workspace_of_queue
from artifact_pipeline.worker.diagnosis.stray_queues import strays_of
from artifact_pipeline.worker.messages.answers import COMMAND

_ANSWER_SECONDS = 1.0
# A worker on a busy machine answers late, and must not count as missing.
_LATE_ANSWER_SECONDS = 3.0


def queue_names(app: Celery) -> list[str]:
    """Return the queues of the pipeline, in the order of their configuration."""
    return [queue.name for queue in app.conf.task_queues]


def read_broker(
    app: Celery,
    needed: Collection[str] = (),
    *,
    named: Collection[str] = (),
    with_strays: bool = False,
    workers: Sequence[WorkerQueues] = (),
) -> BrokerStatus:
    """Ask the broker for its queues, and the workers for the queues that they listen to.

    Args:
        app: of the broker.
        needed: queues with work, also of workspaces with a name. If no worker seems to listen to
            one of them, or to a queue with messages, the workers get more time to answer.
        named: more queues of workspaces with a name.
        with_strays: look for mistyped queues too, which reads the names of all keys.
        workers: those that have just answered, which are not asked again.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        all_named = {*named, *filter(workspace_of_queue, needed)}
        status = _queues_of(app, channel, sorted(all_named), with_strays=with_strays)
        if not status.has_control:
            return status
        has_work = {*needed, *(queue for queue, depth in status.messages.items() if depth)}
        connection = channel.connection.client
        workers = workers or _workers(app, connection, _ANSWER_SECONDS)
        if has_work - {queue for worker in workers for queue in worker.queues}:
            workers = _workers(app, connection, _LATE_ANSWER_SECONDS)
    return replace(status, workers=workers)


def read_queues(
    app: Celery, named: Collection[str] = (), *, with_strays: bool = False
) -> BrokerStatus:
    """Ask the broker for its queues, and no worker for anything, which takes seconds.

    Args:
        app: of the broker.
        named: queues of workspaces with a name.
        with_strays: as `read_broker`.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        return _queues_of(app, channel, sorted(named), with_strays=with_strays)


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
        has_control=has_control(app),
        strays=strays_of(channel, queues) if with_strays else {},
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringWorker(WorkerQueues):
    """A worker that has answered just now.

    Attributes:
        workspace: the name of the one that it serves; None is the default workspace.
        pool: of Celery's, such as `prefork`.
        processes: that carry out its tasks.
        tasks: that it carries out now.
    """

    workspace: str | None
    pool: str | None
    processes: int
    tasks: int


def answering_workers(app: Celery) -> list[AnsweringWorker]:
    """Ask the workers who they are.

    Raises:
        BrokerUnavailableError: the broker does not answer.
        ConfigurationError: workers on this broker cannot be asked.
    """
    if not has_control(app):
        raise ConfigurationError(
            f"{URL_VARIABLE}: this broker has no remote control, so workers cannot be asked. Look"
            " at `artifacts status` for what they have done"
        )
    questions = ("active_queues", "stats", "active", COMMAND)
    queues, stats, active, own = ask_workers(app, *questions)
    return [
        AnsweringWorker(
            name=worker.name,
            queues=worker.queues,
            workspace=_workspace(own.get(worker.name), worker.queues),
            pool=pool_name(stats.get(worker.name)),
            processes=process_count(stats.get(worker.name)),
            tasks=len(active.get(worker.name) or ()),
        )
        for worker in sorted(_listening(queues), key=lambda worker: worker.name)
    ]


def serving_workers(app: Celery) -> dict[str, list[str]]:
    """Return the names of the workers that answer, by the workspaces with names that they serve.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    [queues] = ask_workers(app, "active_queues")
    found: dict[str, list[str]] = {}
    for worker in _listening(queues):
        for name in sorted({workspace_of_queue(queue) or "" for queue in worker.queues} - {""}):
            found.setdefault(name, []).append(worker.name)
    return found


def _workspace(answer: Any, queues: Sequence[str]) -> str | None:  # noqa: ANN401 - from a worker
    if isinstance(answer, dict) and "workspace" in answer:
        workspace: str | None = answer["workspace"]
        return workspace
    return next(filter(None, map(workspace_of_queue, queues)), None)


def pool_name(stats: Any) -> str | None:  # noqa: ANN401 - from a worker
    """Return the pool of a worker's answer to `stats`."""
    pool = stats.get("pool") if isinstance(stats, dict) else None
    implementation = pool.get("implementation") if isinstance(pool, dict) else None
    if not isinstance(implementation, str):
        return None
    module = implementation.partition(":")[0].rpartition(".")[2]
    return {"thread": "threads"}.get(module, module)


def process_count(stats: Any) -> int:  # noqa: ANN401 - from a worker
    """Return the processes, or threads, of a worker's answer to `stats`."""
    pool = stats.get("pool") if isinstance(stats, dict) else None
    if not isinstance(pool, dict):
        return 0
    processes = pool.get("processes")
    # Pools of threads name no processes.
    return len(processes) if isinstance(processes, list) and processes else _most(pool)


def _most(pool: Any) -> int:  # noqa: ANN401 - the same
    return int(pool.get("max-concurrency") or 0)


def ask_workers(app: Celery, *questions: str) -> list[dict[str, Any]]:
    """Ask all workers each question; return each one's answers by the workers' names.

    Only the first question waits for workers of which nobody knows. The others end once those that
    answered it have answered again.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    if not has_control(app):
        return [{} for _ in questions]
    first, *others = questions
    with broker_channel(app) as channel:
        ask = partial(_answers, app, channel.connection.client, seconds=_ANSWER_SECONDS)
        answers = [ask(first)]
        limit = len(answers[0])
        return answers + [ask(question, limit=limit) if limit else {} for question in others]


def has_control(app: Celery) -> bool:
    """Return whether workers on the app's broker can be asked something."""
    kind = kind_of_url(next(iter(broker_urls(app)), ""))
    return kind is None or kind.has_control


def _answers(
    app: Celery,
    connection: Any,  # noqa: ANN401 - of kombu
    question: str,
    seconds: float,
    limit: int | None = None,
) -> dict[str, Any]:
    answers: Any = app.control.broadcast(
        question, reply=True, timeout=seconds, limit=limit, connection=connection
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
