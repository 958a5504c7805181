"""Removing the queues of a workspace that is not used any more."""

import logging

from celery import Celery
from redis.exceptions import RedisError

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.tasks.broker_errors import error_text
from artifact_pipeline.tasks.keys import own_client, own_key
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.tasks.routing import queues_of_workspace

logger = logging.getLogger(__name__)


def forget_queues(workspace: str, app: Celery) -> None:
    """Remove the workspace's queues from the broker, with their messages. Raises nothing.

    kombu keeps a binding for each queue without end. They would add up: each container has a name.
    """
    queues = queues_of_workspace(workspace)
    try:
        with broker_channel(app) as channel:
            bindings = [channel.keyprefix_queue % queue for queue in queues]
            keys = [own_key(channel, name) for name in (*bindings, *queues)]
            own_client(channel).delete(*keys)
    except (BrokerUnavailableError, RedisError) as error:
        said = str(error) if isinstance(error, BrokerUnavailableError) else error_text(error)
        logger.warning("the queues of the workspace %s stay in the broker: %s", workspace, said)
