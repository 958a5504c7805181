"""The life of a batch: what may be done to it in which state, and how fast it goes."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import Batch, BatchMode, BatchPriority, BatchState
from artifact_pipeline.domain.model.release_windows import ReleaseWindow

_SAVED_UP = timedelta(seconds=10)
"""What a rate saves up while nothing is released, as between two runs of the dispatch."""


class BatchAction(StrEnum):
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CHANGE = "change"
    """Another pace, other hours, or another priority."""
    CANCEL = "cancel"
    FINISH = "finish"
    """The last member has ended."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a batch's state.

    Attributes: `to` is None for an action that keeps the state.
    """

    of: tuple[BatchState, ...]
    to: BatchState | None


TRANSITIONS = {
    BatchAction.START: Transition((BatchState.PREVIEWED,), BatchState.RUNNING),
    BatchAction.PAUSE: Transition((BatchState.RUNNING,), BatchState.PAUSED),
    BatchAction.RESUME: Transition((BatchState.PAUSED,), BatchState.RUNNING),
    BatchAction.CHANGE: Transition((BatchState.RUNNING, BatchState.PAUSED), None),
    BatchAction.CANCEL: Transition(
        (BatchState.PREVIEWED, BatchState.RUNNING, BatchState.PAUSED), BatchState.CANCELLED
    ),
    BatchAction.FINISH: Transition((BatchState.RUNNING,), BatchState.DONE),
}
"""The states in which each action is possible, and the state that it leads to."""

GOING = TRANSITIONS[BatchAction.CHANGE].of
"""The states of a batch that was started and has not ended."""


def refusal(batch: Batch, action: BatchAction) -> InvalidRequestError:
    """Return the error for an action that is not possible in the batch's state."""
    states = " or ".join(TRANSITIONS[action].of)
    return InvalidRequestError(
        f"batch {batch.id} is {batch.state}: to {action} it, it must be {states}"
    )


def check_reason(reason: str) -> str:
    """Return the reason for a start without the space around it.

    Raises:
        InvalidRequestError: it is empty.
    """
    stripped = reason.strip()
    if not stripped:
        raise InvalidRequestError("the reason is empty: say why the batch is started")
    return stripped


def check_can_start(batch: Batch, now: datetime) -> None:
    """Refuse a snapshot that was started before, or has expired. Raises: InvalidRequestError."""
    if batch.state not in TRANSITIONS[BatchAction.START].of:
        raise InvalidRequestError(
            f"batch {batch.id}: it is {batch.state}, so it cannot be started. Preview again"
        )
    if batch.expires_at is None or batch.expires_at <= now:
        raise InvalidRequestError(f"snapshot {batch.id}: expired. Preview again")


def check_has_members(batch_id: int, mode: BatchMode, members: int) -> None:
    """Refuse a start that would transfer nothing. Raises: InvalidRequestError."""
    if not members:
        raise InvalidRequestError(
            f"snapshot {batch_id}: no member can be started with the mode {mode}. Preview with"
            " another filter, or give another mode"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceChange:
    """A change of a running batch; None changes nothing.

    Attributes:
        rate: members per second; 0 is no limit.
        max_in_flight: the most members that are requested and have not ended.
        bytes_per_second: 0 is no limit.
        between: when members are released; `ALWAYS` is at any hour.
        priority: compared with other batches.
    """

    rate: float | None = None
    max_in_flight: int | None = None
    bytes_per_second: int | None = None
    between: ReleaseWindow | None = None
    priority: BatchPriority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a running batch goes.

    Attributes:
        rate: members per second; None where nothing holds them back.
        paced_to: until when the rate has been used up.
        now: by the clock that set `paced_to`.
    """

    rate: float | None
    paced_to: datetime
    now: datetime

    @property
    def allowed(self) -> float:
        """How many members may have their turn now."""
        if self.rate is None:
            return math.inf
        return math.floor((self.now - self._since).total_seconds() * self.rate)

    def after(self, members: int) -> datetime:
        """Return `paced_to` once so many members have had their turn."""
        if self.rate is None:
            return self.paced_to
        return self._since + timedelta(seconds=members / self.rate)

    @property
    def _since(self) -> datetime:
        if self.rate is None:
            return self.now
        # Save up twice the time of one member, or a slow rate would never suffice for one.
        saved_up = max(_SAVED_UP, timedelta(seconds=2 / self.rate))
        return max(self.paced_to, self.now - saved_up)
