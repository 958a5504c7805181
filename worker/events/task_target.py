"""A task of the platform that gets events as messages."""

from datetime import datetime

from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.queued_events import (
    Answer,
    Delivered,
    NotDelivered,
    QueuedEvent,
)
from artifact_pipeline.tasks.broker_connections import broker_producer


class TaskTarget:
    """Sends the event as the one argument of a task, under the event's id.

    Args:
        app: with the broker that the platform's workers listen to as well.
        task: its name.
        queue: where its messages go.
    """

    def __init__(self, app: Celery, task: str, queue: str) -> None:
        self._app = app
        self._task = task
        self._queue = queue

    def deliver(self, event: QueuedEvent, now: datetime) -> Answer:  # noqa: ARG002 - of the port
        """Send the message, and return what the broker says."""
        try:
            with broker_producer(self._app) as producer:
                self._app.send_task(
                    self._task,
                    (event.event.payload(),),
                    queue=self._queue,
                    task_id=event.event.id,
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                )
        except BrokerUnavailableError:
            return NotDelivered(error="the broker does not take the message")
        return Delivered()
