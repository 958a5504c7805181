"""What guards a worker against what is no message, whatever broker its queues are in."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artifact_pipeline.tasks.message_body import RefusedError

logger = logging.getLogger(__name__)


def nothing() -> None:
    """Do nothing."""


def always() -> bool:
    """Take messages."""
    return True


def never(_element: bytes) -> bool:
    """Take each element for a message that has something to do."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the channels of a worker call.

    Attributes:
        looked: called whenever the worker has seen what is in its queues, if only nothing.
        may_take: returns whether messages are taken.
        is_handled: returns whether an element is a message that has nothing to do.
    """

    looked: Callable[[], None] = nothing
    may_take: Callable[[], bool] = always
    is_handled: Callable[[bytes], bool] = never


@dataclass(slots=True)
class Taken:
    """An element while it is read, as far as it is known; a note of a refusal describes it."""

    element: bytes


class GuardedChannel:
    """A part of each broker's channel: it refuses what is no message.

    Whatever Celery raises while it unpacks a message ends the worker, and then the next one, to
    which the broker delivers it again.
    """

    hooks = Hooks()

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        raise NotImplementedError

    @contextmanager
    def refusing(self, queue: str, element: bytes = b"") -> Iterator[Taken]:
        """Refuse the message that is read in this context, if reading it fails."""
        taken = Taken(element)
        try:
            yield taken
        except RefusedError as error:
            self.refuse(queue, taken.element, str(error))
        except Exception as error:
            # It would end one worker after the other, and each would get it again.
            logger.exception("a message of the queue %s could not be read", queue)
            self.refuse(queue, taken.element, type(error).__name__)

    def refuse(self, queue: str, element: bytes, part: str) -> None:
        """Log and note that a part of the message is wrong."""
        logger.warning("refused what lay in the queue %s, for its %s", queue, part)
        self.keep_dead_letter(queue, element, f"wrong {part}")
