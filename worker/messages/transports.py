"""What a worker's process changes of kombu's transport, by the kind of its broker."""

from collections.abc import Callable, Mapping

from celery import Celery

from artifact_pipeline.tasks.broker_kinds import (
    POSTGRESQL,
    RABBITMQ,
    REDIS,
    SENTINEL,
    SQS,
    kind_of_url,
)
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from artifact_pipeline.worker.messages.refused_writes import (
    retry_when_refused,
    write_in_channels_only,
)

Looked = Callable[[], None]
MayTake = Callable[[], bool]
IsHandled = Callable[[bytes], bool]


def guard_transport(
    app: Celery, url: str, looked: Looked, may_take: MayTake, is_handled: IsHandled
) -> None:
    """Have the workers of this app refuse what is no message, and lose none.

    Args:
        app: of the workers; it has not connected yet.
        url: of the broker.
        looked: is called whenever the worker has seen that it listens.
        may_take: says whether messages are taken.
        is_handled: says that an element is a message that has nothing to do.
    """
    kind = kind_of_url(url) or REDIS
    _GUARDS[kind.name](app, looked, may_take, is_handled)


def guard_control(url: str) -> None:
    """Have beat and Flower leave a broker that takes no writes."""
    if kind_of_url(url) in (REDIS, SENTINEL):
        retry_when_refused()
        write_in_channels_only()


def _guard_redis(_app: Celery, looked: Looked, may_take: MayTake, is_handled: IsHandled) -> None:
    take_in_messages_only(looked, may_take, is_handled)
    retry_when_refused()


def _guard_amqp(app: Celery, looked: Looked, may_take: MayTake, is_handled: IsHandled) -> None:
    from artifact_pipeline.worker.messages.amqp_channel import guard_amqp  # noqa: PLC0415 - of its brokers alone

    guard_amqp(app, looked, may_take, is_handled)


def _guard_pgmq(app: Celery, looked: Looked, may_take: MayTake, is_handled: IsHandled) -> None:
    from artifact_pipeline.worker.messages.pgmq_channel import guard_pgmq  # noqa: PLC0415 - of its brokers alone

    guard_pgmq(app, looked, may_take, is_handled)


def _guard_sqs(app: Celery, looked: Looked, may_take: MayTake, is_handled: IsHandled) -> None:
    from artifact_pipeline.worker.messages.sqs_channel import guard_sqs  # noqa: PLC0415 - of its brokers alone

    guard_sqs(app, looked, may_take, is_handled)


_GUARDS: Mapping[str, Callable[[Celery, Looked, MayTake, IsHandled], None]] = {
    REDIS.name: _guard_redis,
    SENTINEL.name: _guard_redis,
    RABBITMQ.name: _guard_amqp,
    POSTGRESQL.name: _guard_pgmq,
    SQS.name: _guard_sqs,
}
