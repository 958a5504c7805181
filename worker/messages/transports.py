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
from artifact_pipeline.worker.messages.guarded import Hooks
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from artifact_pipeline.worker.messages.refused_writes import (
    retry_when_refused,
    write_in_channels_only,
)


def guard_transport(app: Celery, url: str, hooks: Hooks) -> None:
    """Have the workers of this app refuse what is no message, and lose none.

    Args:
        app: of the workers; it has not connected yet.
        url: of the broker.
        hooks: called by the channels of this process.
    """
    kind = kind_of_url(url) or REDIS
    _GUARDS[kind.name](app, hooks)


def guard_control(url: str) -> None:
    """Have beat and Flower leave a broker that takes no writes."""
    if kind_of_url(url) in (REDIS, SENTINEL):
        retry_when_refused()
        write_in_channels_only()


def _guard_redis(_app: Celery, hooks: Hooks) -> None:
    take_in_messages_only(hooks)
    retry_when_refused()


def _guard_amqp(app: Celery, hooks: Hooks) -> None:
    from artifact_pipeline.worker.messages.amqp_channel import guard_amqp  # noqa: PLC0415 - of its brokers alone

    guard_amqp(app, hooks)


def _guard_pgmq(app: Celery, hooks: Hooks) -> None:
    from artifact_pipeline.worker.messages.pgmq_channel import guard_pgmq  # noqa: PLC0415 - of its brokers alone

    guard_pgmq(app, hooks)


def _guard_sqs(app: Celery, hooks: Hooks) -> None:
    from artifact_pipeline.worker.messages.sqs_channel import guard_sqs  # noqa: PLC0415 - of its brokers alone

    guard_sqs(app, hooks)


_GUARDS: Mapping[str, Callable[[Celery, Hooks], None]] = {
    REDIS.name: _guard_redis,
    SENTINEL.name: _guard_redis,
    RABBITMQ.name: _guard_amqp,
    POSTGRESQL.name: _guard_pgmq,
    SQS.name: _guard_sqs,
}
