"""The scheduler of Celery beat: it goes by the monotonic clock, and lets no queue fill up."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from celery.beat import ScheduleEntry, Scheduler
from celery.utils.log import get_logger

from artifact_pipeline.tasks.publish import queue_depths
from artifact_pipeline.tasks.routing import DELIVER_EVENTS, DISPATCH, UPKEEP

logger = get_logger("celery.beat")

# Celery computes with datetimes. Only the differences count, so the start may be wrong by years.
_START = datetime.now(UTC) - timedelta(seconds=monotonic())
_FREQUENT = (DELIVER_EVENTS, DISPATCH)
# A queue of this many messages has no worker, or one that is busy for minutes.
_PILE = 100
# Beat's sign of life is that it sends: the health check waits for a minute.
_SECONDS_ON_A_PILE = 30.0


def steady_now() -> datetime:
    """Return the time by a clock that runs on evenly, whatever this machine's clock is set to."""
    return _START + timedelta(seconds=monotonic())


class SteadyEntry(ScheduleEntry):
    """An entry that is due by the steady clock.

    With Celery's entry, nothing would be due after the machine's clock was set back, for as long as
    it was set back by.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's signature
        super().__init__(*args, **kwargs)
        schedule: Any = self.schedule
        schedule.nowfun = steady_now

    def default_now(self) -> datetime:
        return steady_now()


class SteadyScheduler(Scheduler):
    """Keeps nothing on the disk: a start sends the first of each after one period.

    Celery's default scheduler keeps the time of the last message, which may lie in the future once
    the clock was set back. `--schedule` is accepted and unused.
    """

    Entry = SteadyEntry

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's signature
        self._sent_at: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:  # noqa: ANN401 - Celery's
        if entry.task in _FREQUENT and not self._has_room(entry.task, producer):
            logger.debug("%s waits: %s is full", entry.task, UPKEEP)
            return
        super().apply_entry(entry, producer=producer)

    def _has_room(self, task: str, producer: Any) -> bool:  # noqa: ANN401 - a kombu producer
        """Tell whether to send: while no worker takes the messages, one in 30 seconds is enough."""
        now = monotonic()
        sent_at = self._sent_at.get(task, float("-inf"))
        if now - sent_at < _SECONDS_ON_A_PILE and _depth(producer) >= _PILE:
            return False
        self._sent_at[task] = now
        return True


def _depth(producer: Any) -> int:  # noqa: ANN401 - a kombu producer
    try:
        return queue_depths(producer.channel, [UPKEEP])[UPKEEP]
    except Exception:  # noqa: BLE001 - whatever the transport raises; sending then reports it
        return 0
