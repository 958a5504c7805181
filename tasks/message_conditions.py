"""What the messages of an app depend on: its settings, and what other code may change."""

from typing import Any

import celery.app.base
import kombu.messaging
from celery import Celery, signals
from kombu.transport import redis

from artifact_pipeline.tasks.app import PipelineApp
from artifact_pipeline.tasks.unwrapped import is_own

_SIGNALS = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
_USUAL = "usual_settings"
"""The name of a note."""


def is_usual(app: Celery, notes: dict[Any, Any]) -> bool:
    """Return whether Celery makes all messages of a task alike, and calls nothing else for them.

    Args:
        app: that makes them.
        notes: of the app, as they are now.
    """
    return (
        # Anything of another app may be overridden.
        type(app) is PipelineApp
        and not any(signal.receivers for signal in _SIGNALS)
        and is_own(celery.app.base, Celery.send_task)
        and is_own(kombu.messaging, kombu.messaging.Producer.publish)
        and _has_usual_settings(app, notes)
        and not (app.current_worker_task and app.conf.task_inherit_parent_priority)
    )


def _has_usual_settings(app: PipelineApp, notes: dict[Any, Any]) -> bool:
    if _USUAL not in notes:
        conf = app.conf
        sends_alike = not conf.task_always_eager and not conf.task_send_sent_event
        notes[_USUAL] = sends_alike and conf.task_routes == app.own_routes
    return bool(notes[_USUAL])


def is_usual_redis(channel: Any) -> bool:  # noqa: ANN401 - of kombu
    return (
        isinstance(channel, redis.Channel)
        and type(channel)._put is redis.Channel._put  # noqa: SLF001
        and getattr(channel, "supports_batch_publish", False)
    )


def beside_settings(task_name: str, queue_name: str, app: Any, channel: Any) -> list[Any]:  # noqa: ANN401
    """Return what a message depends on besides the app's settings."""
    task = app._tasks.get(task_name)  # noqa: SLF001 - `tasks` would import all of them
    amqp = app.amqp
    queue = amqp.queues[queue_name]
    exchange = queue.exchange
    return [
        # Celery reads some settings once, when it makes these.
        amqp.send_task_message,
        amqp.create_task_message,
        amqp.router,
        # A registered task has its own options.
        dict(task._get_exec_options()) if task else None,  # noqa: SLF001 - as `send_task` does
        *(queue, queue.routing_key, exchange.name, exchange.type, exchange.delivery_mode),
        *(channel.priority_steps, channel.sep),
    ]
