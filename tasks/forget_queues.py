"""Removing the queues of a workspace that is not used any more."""

import logging

from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.tasks.broker_records import records_of
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.tasks.routing import queues_of_workspace

logger = logging.getLogger(__name__)


def forget_queues(workspace: str, app: Celery) -> None:
    """Remove the workspace's queues from the broker, with their messages.

    They would add up, since each container has a name. A broker that does not answer keeps them.
    """
    try:
        with broker_channel(app) as channel:
            records = records_of(channel)
            for queue in queues_of_workspace(workspace):
                records.forget(queue)
    except BrokerUnavailableError as error:
        logger.warning("the queues of the workspace %s stay in the broker: %s", workspace, error)
