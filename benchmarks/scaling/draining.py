"""A backlog over time: requests in SQL, the dispatch with its limited queue, and workers."""

from collections.abc import Callable
from dataclasses import dataclass

DISPATCH_SECONDS = 5
"""How often beat asks for a dispatch."""
QUEUE_LIMIT = 10_000
"""Messages in a queue from which on the dispatch adds none (ARTIFACTS_DISPATCH_QUEUE_LIMIT)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is left after some seconds: in SQL, and of that in the broker."""

    seconds: float
    backlog: float
    messages: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What drains.

    Attributes:
        rate: the uploads per second that the workers can do.
        dispatched: the messages that a dispatch publishes in a second. One dispatch runs at a time,
            and ends once the queue is full or nothing is left.
        queue_limit: of messages.
    """

    rate: float
    dispatched: float
    queue_limit: float = QUEUE_LIMIT


def drain(
    deployment: Deployment,
    requested: Callable[[float], float],
    *,
    step: float = 0.5,
    until: float = 30 * 86_400,
) -> list[Moment]:
    """Return each step until nothing is left, or the time is up.

    A worker claims uploads in the order of due times, which is the order of the messages. So each
    finished upload removes its own message, and workers are idle while the queue is empty.
    `requested` has the uploads that were requested up to a time, without messages.
    """
    sent = done = now = 0.0
    is_dispatching = False
    moments = [Moment(0, requested(0), 0)]
    while now < until:
        is_due = now % DISPATCH_SECONDS < step
        due = requested(now)
        if is_due or is_dispatching:
            room = deployment.queue_limit - (sent - done)
            wanted = min(deployment.dispatched * step, due - sent)
            sent += max(min(wanted, room), 0)
            is_dispatching = sent < due and sent - done < deployment.queue_limit
        done += min(deployment.rate * step, sent - done)
        now += step
        moments.append(Moment(now, requested(now) - done, sent - done))
        if done >= requested(until) - 0.5:
            break
    return moments
