"""How many bytes per second a batch moves: its members are paced by their sizes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind

LEAST_BYTES_PER_SECOND = 1024
MOST_BYTES_PER_SECOND = 2**40
_SAVED_UP = timedelta(seconds=10)
"""The bucket: what a limit saves up while nothing is released, as between two dispatches."""
_LONGEST_DEBT = timedelta(days=365)
"""So that no sum of sizes is beyond the calendar."""


def check_bytes_per_second(limit: int | None) -> None:
    """Refuse a limit that is too small or too large; 0 is none. Raises: InvalidRequestError."""
    if limit and not LEAST_BYTES_PER_SECOND <= limit <= MOST_BYTES_PER_SECOND:
        raise InvalidRequestError(
            f"bytes per second: {limit}: use 1KiB to 1TiB, such as 10MiB; 0 is no limit"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Members of a kind that have ended since the last release.

    Attributes:
        charged: what they were charged at their release.
        moved: the bytes that they have sent or fetched.
        moving: how many have moved any.
    """

    kind: ArtifactKind
    charged: int
    moved: int
    moving: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteBudget:
    """A token bucket of bytes, which may be overdrawn by one member.

    A member is charged at its release, by its known size or else by an expected one. When it has
    ended, the charge is replaced by the bytes that it moved.

    Attributes:
        limit: bytes per second.
        paced_to: until when the limit has been used up; in the future after a large member.
        now: by the clock that set `paced_to`.
        expected: bytes of a member of unknown size, by kind: a moving average of those that ended.
    """

    limit: int
    paced_to: datetime
    now: datetime
    expected: Mapping[ArtifactKind, int] = field(default_factory=dict)

    @property
    def bucket(self) -> int:
        return round(self.limit * _SAVED_UP.total_seconds())

    def charge(self, kind: ArtifactKind, size: int | None) -> int:
        """Return the bytes that a member is charged at its release.

        The first member of an unknown size is charged the whole bucket, so it goes alone.
        """
        return self.expected.get(kind, self.bucket) if size is None else size

    def affordable(self, members: Iterable[tuple[ArtifactKind, int | None]]) -> int:
        """Return how many of the next members may have their turn now."""
        saved, count = (self.now - self._since).total_seconds() * self.limit, 0
        for kind, size in members:
            # Larger members than the bucket would otherwise never be released.
            if saved < 0:
                break
            saved -= self.charge(kind, size)
            count += 1
        return count

    def after(self, charged: int) -> Self:
        """Return the budget once so many bytes were charged."""
        return replace(self, paced_to=self._moved(self._since, charged))

    def settle(self, ended: Sequence[Settled]) -> Self:
        """Return the budget with the bytes that members moved instead of their charges.

        Args: `ended` has each kind once.
        """
        # What was expected before counts as one member more. So a small one that comes first does
        # not release a thousand large ones after it.
        sizes = {
            each.kind: (self.charge(each.kind, None) + each.moved) // (1 + each.moving)
            for each in ended
            if each.moving
        }
        correction = sum(each.moved - each.charged for each in ended)
        return replace(
            self,
            paced_to=self._moved(self.paced_to, correction),
            expected={**self.expected, **sizes},
        )

    def _moved(self, since: datetime, count: int) -> datetime:
        longest = _LONGEST_DEBT.total_seconds()
        seconds = max(-longest, min(count / self.limit, longest))
        return min(since + timedelta(seconds=seconds), self.now + _LONGEST_DEBT)

    @property
    def _since(self) -> datetime:
        return max(self.paced_to, self.now - _SAVED_UP)
