"""Queues of RabbitMQ that answer no consumer, because they have no leader.

A worker leaves such a queue out and consumes the others. One thread for each such queue checks it
until it answers.

Ra, the library below quorum queues, formerly wrote the name of a new queue to the disk half a
second late (rabbitmq/ra, pull request 443). If RabbitMQ 3.10 is killed before that, the queue has
an empty log afterwards, and waits without end for a leader. So a queue that stays without a leader
is replaced, if a new queue gets one.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from uuid import uuid4

from amqp import AMQPError
from celery import Celery
from kombu.transport import pyamqp

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.tasks.broker_connections import broker_connection
from artifact_pipeline.tasks.broker_kinds import RABBITMQ

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 300.0
"""For how long a queue has no leader before it is replaced. Nodes of a cluster restart sooner."""
ANSWER_SECONDS = 5.0
"""For how long a queue's answer is waited for. RabbitMQ's own heartbeat, every ten seconds, ends no
longer wait for the next frame: it is a frame itself."""
_PAUSE_SECONDS = 5.0
_DELETE_SECONDS = 30.0
_LOCK = "artifacts.replacing."
_SAMPLE = "artifacts.sample."
_SAMPLE_MILLISECONDS = 60_000

Consume = Callable[[], object]


class UnansweredQueues:
    """The queues that this worker does not consume.

    Args:
        app: the worker's.
        patience: seconds without a leader before a queue is replaced.
        answers_within: seconds.
    """

    def __init__(
        self,
        app: Celery,
        patience: float = PATIENCE_SECONDS,
        answers_within: float = ANSWER_SECONDS,
    ) -> None:
        self.answers_within = answers_within
        self._patience = patience
        self._app = app
        self._checks: dict[str, Thread] = {}
        self._left_out: dict[str, Consume] = {}

    def check_all(self) -> None:
        """Check each of the worker's queues in a thread, and leave it out until it answers."""
        for queue in list(self._app.amqp.queues.consume_from):
            if queue not in self._checks:
                name = f"check-{queue}"
                check = Thread(target=self._check, args=(queue,), name=name, daemon=True)
                self._checks[queue] = check
                check.start()

    def leaves_out(self, queue: str, consume: Consume) -> bool:
        """Return whether a queue is left out for now.

        Args: `consume` begins to consume it, and is called once it answers.
        """
        if queue not in self._checks:
            return False
        self._left_out[queue] = consume
        return True

    def resume(self) -> None:
        """Consume the queues that answer again. Call it in the main loop."""
        for queue, check in list(self._checks.items()):
            if not check.is_alive():
                del self._checks[queue]
                if consume := self._left_out.pop(queue, None):
                    consume()

    def _check(self, queue: str) -> None:
        since = time.monotonic()
        is_reported = False
        while not self._is_usable(queue, since):
            if not is_reported:
                logger.warning("the queue %s answers no consumer; the others are consumed", queue)
                is_reported = True
            time.sleep(_PAUSE_SECONDS)
        if is_reported:
            logger.warning("the queue %s answers again", queue)

    def _is_usable(self, queue: str, since: float) -> bool:
        try:
            # An operator may have deleted it.
            self._declare(queue)
            if self._answers(queue):
                return True
            if time.monotonic() - since >= self._patience:
                self._replace(queue)
                return self._answers(queue)
        except (PipelineError, AMQPError, OSError) as error:
            # The broker is away, or another worker replaces the queue.
            logger.info("the queue %s could not be checked: %s", queue, type(error).__name__)
        return False

    def _declare(self, queue: str) -> None:
        with broker_connection(self._app) as connection:
            channel = connection.default_channel
            with limited(channel, self.answers_within):
                self._app.amqp.queues[queue](channel).declare()

    def _answers(self, queue: str) -> bool:
        with broker_connection(self._app) as connection:
            return answers(connection, queue, self.answers_within)

    def _replace(self, queue: str) -> None:
        """Delete a queue without a leader and declare it again, if a new queue gets a leader.

        In a cluster without a majority a new queue gets none either, and the messages stay.
        """
        with broker_connection(self._app) as connection:
            channel = connection.channel()
            # One worker at a time: a second one would delete the new queue.
            channel.queue_declare(f"{_LOCK}{queue}", exclusive=True)
            if self._answers(queue) or not self._new_queue_answers():
                return
            # Not after it: the answer to the deletion can be lost.
            logger.warning(
                "the queue %s has no leader and is replaced; its messages are lost, and the"
                " dispatch sends those that SQL knows again",
                queue,
            )
            with limited(channel, _DELETE_SECONDS):
                channel.queue_delete(queue)
            self._declare(queue)

    def _new_queue_answers(self) -> bool:
        name = f"{_SAMPLE}{uuid4()}"
        arguments = {**RABBITMQ.queue_arguments, "x-expires": _SAMPLE_MILLISECONDS}
        with broker_connection(self._app) as connection:
            channel = connection.channel()
            with limited(channel, _DELETE_SECONDS):
                channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
            is_usable = self._answers(name)
            if is_usable:
                channel.queue_delete(name)
            return is_usable


def answers(connection: Any, queue: str, seconds: float = ANSWER_SECONDS) -> bool:  # noqa: ANN401
    """Return whether the queue takes a consumer: only its leader can say so.

    Args: `connection` of kombu, for this question alone.
    """
    channel = connection.default_channel
    try:
        with limited(channel, seconds):
            # One message at most, which is in the queue again once the channel is closed
            channel.basic_qos(0, 1, False)  # noqa: FBT003 - of amqp
            pyamqp.Channel.basic_consume(channel, queue, callback=_ignore)
    except TimeoutError:
        # To close it in order would take as long as the broker waits for a leader: 60 s.
        connection.connection.collect()
        return False
    return True


@contextmanager
def limited(channel: Any, seconds: float) -> Iterator[None]:  # noqa: ANN401 - of amqp
    """Limit how long a method of the channel waits. Raises: TimeoutError."""
    with channel.connection.transport.having_timeout(seconds):
        yield


def _ignore(_message: object) -> None:
    """Take nothing: the broker keeps the message."""
