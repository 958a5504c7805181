"""Handing on messages that have arrived at a worker of another workspace."""

import logging
from typing import Any

from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.routing import queue_of_transfer

logger = logging.getLogger(__name__)


def hand_on(transfer: Transfer, app: Celery) -> None:
    """Send the transfer's message to the queue of its workspace. Raises nothing."""
    queue = queue_of_transfer(transfer)
    if queue == queue_taken_from(app.current_worker_task):
        # A worker was told to listen to it. Handing on would give it the message again and again.
        logger.error("%s: taken from %s by a worker that cannot see it", transfer.artifact, queue)
        return
    try:
        publish([transfer], app)
    except BrokerUnavailableError as error:
        logger.warning("%s: waits for the dispatch: %s", transfer.artifact, error)
        return
    logger.info("%s: handed on to %s", transfer.artifact, queue)


def queue_taken_from(task: Any) -> str:  # noqa: ANN401 - a task of Celery's, or None
    """Return the queue that the task's message was taken from; empty if it had none."""
    info = getattr(task, "request", None) and task.request.delivery_info
    return (info or {}).get("routing_key") or ""
