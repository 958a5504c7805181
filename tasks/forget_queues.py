"""Removing the queues of a workspace that is not used any more."""

import logging
from typing import Any

from celery import Celery
from redis.exceptions import RedisError

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.tasks.broker_errors import error_text
from artifact_pipeline.tasks.keys import own_client, own_key
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.tasks.routing import queues_of_workspace

logger = logging.getLogger(__name__)


_BINDINGS = ("keyprefix_queue", "keyprefix_binding_permanent")
"""Attributes of a channel; earlier versions of kombu have the first alone."""


def forget_queues(workspace: str, app: Celery) -> None:
    """Remove the workspace's queues from the broker, with their messages. Raises nothing.

    kombu keeps a binding for each queue without end. They would add up: each container has a name.
    """
    queues = queues_of_workspace(workspace)
    try:
        with broker_channel(app) as channel:
            names = [*queues, *(each % queue for each in _bindings(channel) for queue in queues)]
            own_client(channel).delete(*(own_key(channel, name) for name in names))
    except (BrokerUnavailableError, RedisError) as error:
        said = str(error) if isinstance(error, BrokerUnavailableError) else error_text(error)
        logger.warning("the queues of the workspace %s stay in the broker: %s", workspace, said)


def _bindings(channel: Any) -> list[str]:  # noqa: ANN401 - of kombu
    return [getattr(channel, name) for name in _BINDINGS if hasattr(channel, name)]
