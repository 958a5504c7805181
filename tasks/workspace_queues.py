"""The queues of a workspace, when it ends."""

import logging

from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.tasks.broker_records import records_of
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.tasks.routing import queues_of_workspace

logger = logging.getLogger(__name__)


def count_messages(workspace: str, app: Celery) -> int:
    """Return how many messages wait in the workspace's queues.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        records = records_of(channel)
        return sum(records.depth(queue) for queue in queues_of_workspace(workspace))


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
